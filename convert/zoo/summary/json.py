"""``zoo.json``: the whole summary, versioned, strict JSON, described by ``zoo-report.schema.json``."""

from __future__ import annotations

from pathlib import Path

from convert.zoo.summary.types import SCHEMA_VERSION, ZooReport
from verify.report.versioned import VersionedJson

SCHEMA_PATH = Path(__file__).with_name("zoo-report.schema.json")

_FILE = VersionedJson(
    ZooReport, SCHEMA_VERSION, "zoo report", "give the zoo.json of a run", SCHEMA_PATH, "pth2tflite zoo report"
)


def render_json(report: ZooReport) -> str:
    """The report as indented JSON text; a measure that is not finite becomes ``null``."""
    return _FILE.render(report)


def read_report(path: Path) -> ZooReport:
    """The report of a ``zoo.json``; raises ``ReportUnreadable``, for another schema version too."""
    return _FILE.read(path)


def render_schema() -> str:
    """The JSON Schema of ``zoo.json``, as committed in ``zoo-report.schema.json``."""
    return _FILE.render_schema()
