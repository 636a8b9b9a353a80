"""Rebuild the committed JSON Schemas after a report type changed: ``python -m verify.report.build_schema``."""

from __future__ import annotations

from verify.atomic import write_text
from verify.report import json, verification_json


def main() -> None:
    """Write ``schema.json`` and ``verification.schema.json`` beside this file."""
    write_text(json.SCHEMA_PATH, json.render_schema())
    write_text(verification_json.SCHEMA_PATH, verification_json.render_schema())


if __name__ == "__main__":
    main()
