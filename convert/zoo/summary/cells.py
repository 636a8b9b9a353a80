"""How a row reads: the words, marks and links that the page, the Markdown table and the terminal share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from convert.zoo.job import Target
from convert.zoo.result import Outcome, TargetResult
from convert.zoo.summary.standing import label
from convert.zoo.summary.types import Standing, ZooReport, ZooRow
from verify.errors import ExitCode
from verify.report import words
from verify.report.types import Verdict

SYMBOLS = {
    Standing.PASS: "✓",
    Standing.KNOWN: "○",
    Standing.FAIL: "✕",
    Standing.EXPIRED: "✕",
    Standing.UNEXPECTED_PASS: "!",
    Standing.NOT_RUN: "–",
}
"""Never colour alone."""

_PLURALS = {Standing.KNOWN: "known failures", Standing.UNEXPECTED_PASS: "unexpected passes"}

TITLES = {
    Target.ONNX: "ONNX",
    Target.SAVED_MODEL: "SavedModel",
    Target.FLOAT32: "float32",
    Target.FLOAT16: "float16",
    Target.DYNAMIC_INT8: "dynamic int8",
    Target.INT8: "int8",
}


@dataclass(frozen=True)
class TargetCells:
    """One target's numbers in words; ``mark`` says what is wrong with it, where something is."""

    title: str
    mark: str
    size: str
    sqnr: str
    top1: str
    latency: str


def target_cells(target: TargetResult) -> TargetCells:
    """A target as one line of a table."""
    return TargetCells(
        title=target_title(target.name),
        mark=_mark(target.outcome),
        size=words.size(target.size_bytes),
        sqnr=words.decibels(target.sqnr_db),
        top1=words.percent(target.top1_agreement),
        latency=words.milliseconds(target.latency_ms),
    )


def _mark(outcome: Outcome) -> str:
    symbol = "?" if outcome is Outcome.INCONCLUSIVE else "✕"
    return "" if outcome is Outcome.OK else f"{symbol} {outcome}"


def target_title(name: str) -> str:
    """``dynamic int8``."""
    return TITLES[Target(name)] if name in TITLES else name


def targets(row: ZooRow) -> tuple[TargetResult, ...]:
    """What was made for a row, in the pipeline's order."""
    conversion = row.result.conversion if row.result else None
    return tuple(sorted(conversion.targets, key=lambda it: _order(it.name))) if conversion else ()


def target_names(report: ZooReport) -> tuple[str, ...]:
    """Every target that any row has, in the pipeline's order."""
    return tuple(sorted({target.name for row in report.rows for target in targets(row)}, key=_order))


def standing_text(row: ZooRow) -> str:
    """``✓ pass``, ``✕ fail: oom``, ``○ known failure: budget``."""
    told = label(row)
    silent = row.standing in {Standing.PASS, Standing.UNEXPECTED_PASS, Standing.NOT_RUN}
    return f"{SYMBOLS[row.standing]} {row.standing}" + ("" if silent else f": {told}")


def counts(rows: Sequence[ZooRow]) -> tuple[tuple[Standing, int], ...]:
    """How many rows stand how, those that need attention first."""
    found = Counter(row.standing for row in rows)
    order = sorted(Standing, key=lambda it: it.acceptable)
    return tuple((standing, found[standing]) for standing in order if found[standing])


def tally(standing: Standing, number: int) -> str:
    """``✕ 3 fail``, ``○ 28 known failures``, ``! 1 unexpected pass``."""
    plural = _PLURALS.get(standing, standing) if number != 1 else standing
    return f"{SYMBOLS[standing]} {number:,} {plural}"


def verdict(code: ExitCode) -> Verdict:
    """What an exit code says about the zoo as a whole."""
    if code is ExitCode.INCONCLUSIVE:
        return Verdict.INCONCLUSIVE
    return Verdict.PASS if code is ExitCode.PASS else Verdict.FAIL


def duration(seconds: float) -> str:
    """``12.5 s``, ``2 min 05 s``, ``3 h 07 min``."""
    if seconds < 3600:
        return words.seconds(seconds)
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes:02d} min"


def _order(name: str) -> tuple[int, str]:
    known = list(Target)
    return (known.index(Target(name)) if name in known else len(known), name)
