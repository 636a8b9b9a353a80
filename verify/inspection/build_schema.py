"""Rebuild the committed JSON Schema after the type changed: ``python -m verify.inspection.build_schema``."""

from __future__ import annotations

from verify.atomic import write_text
from verify.inspection.json import INSPECTION


def main() -> None:
    """Write ``schema.json`` beside this file."""
    write_text(INSPECTION.schema_path, INSPECTION.render_schema())


if __name__ == "__main__":
    main()
