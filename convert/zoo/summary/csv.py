"""``zoo.csv``: a line per model and target, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io

from convert.zoo.result import TargetResult
from convert.zoo.summary.standing import label
from convert.zoo.summary.types import ZooReport, ZooRow
from verify.report import words

COLUMNS = (
    "model",
    "architecture",
    "standing",
    "outcome",
    "target",
    "target_outcome",
    "file",
    "size_bytes",
    "sqnr_db",
    "top1_agreement",
    "latency_ms",
    "float_ops",
    "job_seconds",
    "job_peak_memory_bytes",
    "attempts",
    "tags",
    "tier",
    "license",
    "why",
    "report",
    "log",
)
_FORMULA = ("=", "+", "-", "@")

Cell = str | float | None


def render_csv(report: ZooReport) -> str:
    """The table; a job without targets has one line with theirs left empty. A spreadsheet runs nothing of it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in report.rows:
        conversion = row.result.conversion if row.result else None
        targets = conversion.targets if conversion else ()
        for target in targets or (None,):
            writer.writerow([_safe(cell) for cell in _line(row, target)])
    return text.getvalue()


def _line(row: ZooRow, target: TargetResult | None) -> tuple[Cell, ...]:
    result = row.result
    architecture = result.conversion.architecture if result and result.conversion else ""
    return (
        row.id,
        architecture,
        row.standing,
        label(row),
        *(_target(target) if target else (None,) * 8),
        round(result.seconds, 3) if result else None,
        result.peak_memory_bytes if result else None,
        result.attempts if result else None,
        " ".join(row.tags),
        row.tier,
        row.license,
        target.why if target and target.why else row.why,
        f"{row.folder}/report.html" if row.folder else "",
        row.log,
    )


def _target(target: TargetResult) -> tuple[Cell, ...]:
    return (
        target.name,
        target.outcome,
        target.file,
        target.size_bytes,
        target.sqnr_db,
        target.top1_agreement,
        target.latency_ms,
        target.float_ops,
    )


def _safe(cell: Cell) -> Cell:
    """Text on one line that no spreadsheet takes for a formula."""
    if not isinstance(cell, str):
        return cell
    text = words.printable(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text
