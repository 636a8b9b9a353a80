"""A report type as strict, versioned JSON with a committed schema: what every kind of report file has in common."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from verify.errors import ReportUnreadable
from verify.jsonio import from_jsonable, json_schema, to_jsonable

T = TypeVar("T")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True)
class VersionedJson(Generic[T]):
    """How one type with a ``schema_version`` becomes a file and comes back."""

    kind: type[T]
    version: str
    noun: str
    """What the file is: ``report``."""
    whence: str
    """Where a right one comes from: ``give the report.json of a run``."""
    schema_path: Path
    title: str

    def render(self, report: T) -> str:
        """The report as indented JSON text.

        A measure that is not finite has no place in JSON and becomes ``null``. Raises ``pydantic.ValidationError``
        when it stands where the schema wants a number.
        """
        data = _without_non_finite(to_jsonable(report))
        from_jsonable(self.kind, data)
        return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def read(self, path: Path) -> T:
        """The report that was rendered; raises ``ReportUnreadable``, for another schema version too."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
        except (OSError, ValueError, RecursionError) as error:
            raise ReportUnreadable(f"{path} is no {self.noun}: {error}", fix=self.whence) from error
        version = data.get("schema_version") if isinstance(data, dict) else None
        if version != self.version:
            raise ReportUnreadable(
                f"{path} has schema version {version!r}; this release reads {self.version!r}",
                fix="run the conversion again with this release, or read the file with the release that wrote it",
            )
        try:
            report: T = from_jsonable(self.kind, data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ReportUnreadable(
                f"{path} does not follow schema version {version}: {where}: {first['msg']}",
                fix=f"compare it with {self.schema_path.name}; it was edited or cut since it was written",
            ) from error
        return report

    def render_schema(self) -> str:
        """The JSON Schema of the file, as committed at ``schema_path``."""
        schema = json_schema(self.kind)
        schema["properties"]["schema_version"] |= {"const": self.version}
        described = {"$schema": _DIALECT, **schema, "title": f"{self.title}, version {self.version}"}
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
