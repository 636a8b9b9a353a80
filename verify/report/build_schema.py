"""Rebuild the committed JSON Schema after the report type changed: ``python -m verify.report.build_schema``."""

from __future__ import annotations

from verify.atomic import write_text
from verify.report.json import SCHEMA_PATH, render_schema


def main() -> None:
    """Write ``schema.json`` beside this file."""
    write_text(SCHEMA_PATH, render_schema())


if __name__ == "__main__":
    main()
