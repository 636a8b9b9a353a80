"""An inspection as JSON, with the schema's version in it."""

from __future__ import annotations

from pathlib import Path

from verify.inspection.types import SCHEMA_VERSION, Inspection
from verify.report.versioned import VersionedJson

INSPECTION = VersionedJson(
    kind=Inspection,
    version=SCHEMA_VERSION,
    noun="inspection",
    whence="give what `verify inspect --json` printed",
    schema_path=Path(__file__).with_name("schema.json"),
    title="verify inspect",
)
