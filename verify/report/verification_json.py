"""``verification.json``: a whole verification, versioned, strict JSON, described by ``verification.schema.json``."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

from verify.report.verification import NOT_FINITE_DB, VERIFICATION_SCHEMA_VERSION, Layer, Verification
from verify.report.versioned import VersionedJson

SCHEMA_PATH = Path(__file__).with_name("verification.schema.json")

_FILE = VersionedJson(
    Verification,
    VERIFICATION_SCHEMA_VERSION,
    "verification",
    "give the verification.json of a run of verify",
    SCHEMA_PATH,
    "verify: what a verification found",
)
_NUMBERS = re.compile(r"\[\n\s*((?:-?[\d.eE+-]+|null)(?:,\n\s*(?:-?[\d.eE+-]+|null))*)\n\s*\]")
"""A list of numbers over several lines; a string cannot hold one, for JSON escapes its newlines."""


def render_json(verification: Verification) -> str:
    """The verification as indented JSON text, each list of numbers on one line; a number that is not finite is null."""
    return _NUMBERS.sub(_on_one_line, _FILE.render(_with_finite_layers(verification)))


def read_json(path: Path) -> Verification:
    """The verification that was rendered; raises ``ReportUnreadable``."""
    return _FILE.read(path)


def render_schema() -> str:
    """The JSON Schema of ``verification.json``, as committed in ``verification.schema.json``."""
    return _FILE.render_schema()


def _with_finite_layers(verification: Verification) -> Verification:
    """What is not finite would become null, which says of a layer that it is identical."""
    return replace(
        verification,
        localisations=tuple(
            replace(
                where,
                layers=tuple(map(_finite_layer, where.layers)),
                culprit=where.culprit and replace(where.culprit, layer=_finite_layer(where.culprit.layer)),
            )
            for where in verification.localisations
        ),
    )


def _finite_layer(layer: Layer) -> Layer:
    return replace(layer, sqnr_db=_finite(layer.sqnr_db), local_sqnr_db=_finite(layer.local_sqnr_db))


def _finite(sqnr_db: float | None) -> float | None:
    return sqnr_db if sqnr_db is None or math.isfinite(sqnr_db) else NOT_FINITE_DB


def _on_one_line(found: re.Match[str]) -> str:
    return f"[{', '.join(found[1].replace(',', ' ').split())}]"
