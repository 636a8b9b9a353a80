"""``report.json``: the whole report, versioned, strict JSON (no ``NaN`` token), described by ``schema.json``."""

from __future__ import annotations

from pathlib import Path

from verify.atomic import write_text
from verify.report.types import SCHEMA_VERSION, Report
from verify.report.versioned import VersionedJson

SCHEMA_PATH = Path(__file__).with_name("schema.json")

_FILE = VersionedJson(
    Report, SCHEMA_VERSION, "report", "give the report.json of a run", SCHEMA_PATH, "pth2tflite report"
)


def render_json(report: Report) -> str:
    """The report as indented JSON text.

    A measure that is not finite has no place in JSON and becomes ``null``; the comparison's ``failure`` and
    ``explanation`` say what it was. Raises ``pydantic.ValidationError`` when it stands where the schema wants a number.
    """
    return _FILE.render(report)


def write_json(report: Report, path: Path) -> None:
    """Write the report, whole or not at all."""
    write_text(path, render_json(report))


def read_json(path: Path) -> Report:
    """The report that :func:`write_json` wrote; raises ``ReportUnreadable``."""
    return _FILE.read(path)


def render_schema() -> str:
    """The JSON Schema of ``report.json``, as committed in ``schema.json``."""
    return _FILE.render_schema()
