"""Rebuild the committed JSON Schema after a type changed: ``python -m convert.zoo.summary.build_schema``."""

from __future__ import annotations

from convert.zoo.summary.json import SCHEMA_PATH, render_schema
from verify.atomic import write_text


def main() -> None:
    """Write ``zoo-report.schema.json`` beside this file."""
    write_text(SCHEMA_PATH, render_schema())


if __name__ == "__main__":
    main()
