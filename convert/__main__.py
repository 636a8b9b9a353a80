"""``python -m convert``: the same as the console command, for where ImageMagick owns its name."""

from convert.cli import main

if __name__ == "__main__":
    main()
