"""``report.json``: the whole report, versioned, strict JSON (no ``NaN`` token), described by ``schema.json``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from verify.atomic import write_text
from verify.errors import ReportUnreadable
from verify.jsonio import from_jsonable, json_schema, to_jsonable
from verify.report.types import SCHEMA_VERSION, Report

SCHEMA_PATH = Path(__file__).with_name("schema.json")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def render_json(report: Report) -> str:
    """The report as indented JSON text.

    A measure that is not finite has no place in JSON and becomes ``null``; the comparison's ``failure`` and
    ``explanation`` say what it was. Raises ``pydantic.ValidationError`` when it stands where the schema wants a number.
    """
    data = _without_non_finite(to_jsonable(report))
    from_jsonable(Report, data)
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(report: Report, path: Path) -> None:
    """Write the report, whole or not at all."""
    write_text(path, render_json(report))


def read_json(path: Path) -> Report:
    """The report that :func:`write_json` wrote; raises ``ReportUnreadable``."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise ReportUnreadable(f"{path} is no report: {error}", fix="give the report.json of a run") from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise ReportUnreadable(
            f"{path} has schema version {version!r}; this release reads {SCHEMA_VERSION!r}",
            fix="run the conversion again with this release, or read the file with the release that wrote it",
        )
    try:
        report: Report = from_jsonable(Report, data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ReportUnreadable(
            f"{path} does not follow schema version {version}: {where}: {first['msg']}",
            fix=f"compare it with {SCHEMA_PATH.name}; it was edited or cut since it was written",
        ) from error
    return report


def render_schema() -> str:
    """The JSON Schema of ``report.json``, as committed in ``schema.json``."""
    schema = json_schema(Report)
    schema["properties"]["schema_version"] |= {"const": SCHEMA_VERSION}
    described = {"$schema": _DIALECT, **schema, "title": f"pth2tflite report, version {SCHEMA_VERSION}"}
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def _without_non_finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_non_finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_non_finite(item) for item in value]
    return value


def _refuse_constant(token: str) -> float:
    raise ValueError(f"{token} is not JSON")
