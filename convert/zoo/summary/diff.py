"""What changed between two runs of a zoo: what got worse, what got better, what is new and what is gone.

Latency is told and never judged: it was measured on a machine that did other work at the time.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from convert.zoo.result import Outcome, TargetResult
from convert.zoo.summary.cells import target_title
from convert.zoo.summary.standing import label
from convert.zoo.summary.types import Standing, ZooReport, ZooRow
from verify.jsonio import to_jsonable
from verify.report import words


class Measure(StrEnum):
    """What a change is about."""

    OUTCOME = "outcome"
    SQNR = "SQNR"
    TOP1 = "top-1"
    SIZE = "size"


class Direction(StrEnum):
    """Whether a change is for the worse, for the better, or merely another failure than before."""

    REGRESSION = "regression"
    PROGRESSION = "progression"
    CHANGE = "change"


@dataclass(frozen=True)
class Tolerance:
    """What still counts as the same."""

    sqnr_db: float = 0.5
    top1_agreement: float = 0.0
    relative_size: float = 0.01


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was, with both values as a person reads them."""

    id: str
    target: str
    """Empty where it is about the whole job."""
    measure: Measure
    direction: Direction
    before: str
    after: str


@dataclass(frozen=True)
class LatencyShift:
    """Latencies of the later run over those of the earlier one, of targets that both measured."""

    targets: int
    median_ratio: float


@dataclass(frozen=True)
class ZooDiff:
    """The later run against the earlier one. Changes of outcome come first, then the later run's order counts."""

    earlier: str
    """When the earlier run was, ISO 8601."""
    later: str
    tolerance: Tolerance
    changes: tuple[Change, ...] = ()
    new: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Had a result earlier and has none now."""
    unchanged: int = 0
    """Models of which nothing changed beyond the tolerance."""
    latency: LatencyShift | None = None

    def of(self, direction: Direction) -> tuple[Change, ...]:
        """The changes of one direction."""
        return tuple(change for change in self.changes if change.direction == direction)


def diff(earlier: ZooReport, later: ZooReport, tolerance: Tolerance | None = None) -> ZooDiff:
    """Compare two runs by the models' ids; what did not run counts as not there.

    A failure that was right before is a regression, unless the later run's manifest accepts it.
    """
    tolerance = tolerance or Tolerance()
    before = {row.id: row for row in earlier.rows if row.result is not None}
    after = {row.id: row for row in later.rows if row.result is not None}
    both = [(before[id_], row) for id_, row in after.items() if id_ in before]
    found = [tuple(_changes(old, new, tolerance)) for old, new in both]
    return ZooDiff(
        earlier=earlier.created,
        later=later.created,
        tolerance=tolerance,
        changes=tuple(sorted((it for changes in found for it in changes), key=_outcomes_first)),
        new=tuple(id_ for id_ in after if id_ not in before),
        missing=tuple(id_ for id_ in before if id_ not in after),
        unchanged=sum(not changes for changes in found),
        latency=_latency(both),
    )


def render_diff_json(changes: ZooDiff) -> str:
    """``zoo.diff.json``."""
    return json.dumps(to_jsonable(changes), indent=2, ensure_ascii=False) + "\n"


def summarise(changes: ZooDiff) -> str:
    """``2 regressions, 1 progression, 1 new model; 26 models are as they were``."""
    parts = [
        words.count(len(changes.of(direction)), noun)
        for direction, noun in (
            (Direction.REGRESSION, "regression"),
            (Direction.PROGRESSION, "progression"),
            (Direction.CHANGE, "other change"),
        )
        if changes.of(direction)
    ]
    parts += [words.count(len(changes.new), "new model")] if changes.new else []
    parts += [words.count(len(changes.missing), "missing model")] if changes.missing else []
    same = f"{words.count(changes.unchanged, 'model')} as before"
    return f"{words.joined(tuple(parts))}; {same}" if parts else f"nothing changed; {same}"


def describe(change: Change) -> str:
    """``int8: SQNR 31.2 dB → 24.9 dB``."""
    where = f"{target_title(change.target)}: " if change.target else ""
    return f"{where}{change.measure} {change.before} → {change.after}"


def describe_latency(shift: LatencyShift) -> str:
    """How latencies moved, and why that decides nothing."""
    moved = f"median latency is {words.times(shift.median_ratio)} of what it was"
    return f"Over {words.count(shift.targets, 'file')}, {moved}; measured among other jobs, so it decides nothing."


def describe_tolerance(tolerance: Tolerance) -> str:
    """What a regression is, in numbers."""
    top1 = "at all" if tolerance.top1_agreement == 0 else f"by more than {words.percent(tolerance.top1_agreement)}"
    size = words.percent(tolerance.relative_size)
    return f"SQNR down by more than {tolerance.sqnr_db:g} dB, top-1 down {top1}, or size up by more than {size}"


def _outcomes_first(change: Change) -> bool:
    return change.measure is not Measure.OUTCOME


def _changes(old: ZooRow, new: ZooRow, tolerance: Tolerance) -> Iterator[Change]:
    accepted = new.standing is Standing.KNOWN
    before, after = _targets(old), _targets(new)
    common = [name for name in after if name in before]
    found = [change for name in common for change in _target_changes(new.id, before[name], after[name], tolerance)]
    explained = any(change.measure is Measure.OUTCOME for change in found)
    if label(old) != label(new) and not explained:
        direction = _direction(was_right=_right(old), is_right=_right(new))
        found.insert(0, Change(new.id, "", Measure.OUTCOME, direction, label(old), label(new)))
    elif after and before:
        gone = [name for name in before if name not in after]
        found += [Change(new.id, name, Measure.OUTCOME, Direction.CHANGE, "made", "not made") for name in gone]
    for change in found:
        forgiven = accepted and change.measure is Measure.OUTCOME and change.direction is Direction.REGRESSION
        yield replace(change, direction=Direction.CHANGE) if forgiven else change


def _target_changes(id_: str, old: TargetResult, new: TargetResult, tolerance: Tolerance) -> Iterator[Change]:
    if old.outcome is not new.outcome:
        direction = _direction(was_right=old.outcome is Outcome.OK, is_right=new.outcome is Outcome.OK)
        yield Change(id_, new.name, Measure.OUTCOME, direction, old.outcome, new.outcome)
    for measure, before, after, allowed in (
        (Measure.SQNR, old.sqnr_db, new.sqnr_db, tolerance.sqnr_db),
        (Measure.TOP1, old.top1_agreement, new.top1_agreement, tolerance.top1_agreement),
        (Measure.SIZE, old.size_bytes, new.size_bytes, tolerance.relative_size * old.size_bytes),
    ):
        if before is not None and after is not None and abs(after - before) > allowed:
            worse = after > before if measure is Measure.SIZE else after < before
            direction = _direction(was_right=worse, is_right=not worse)
            yield Change(id_, new.name, measure, direction, _words(measure, before), _words(measure, after))


def _words(measure: Measure, value: float) -> str:
    if measure is Measure.SIZE:
        return words.size(round(value))
    return words.percent(value) if measure is Measure.TOP1 else words.decibels(value)


def _direction(*, was_right: bool, is_right: bool) -> Direction:
    if was_right == is_right:
        return Direction.CHANGE
    return Direction.PROGRESSION if is_right else Direction.REGRESSION


def _right(row: ZooRow) -> bool:
    return row.result is not None and row.result.outcome is Outcome.OK


def _targets(row: ZooRow) -> dict[str, TargetResult]:
    conversion = row.result.conversion if row.result else None
    return {it.name: it for it in conversion.targets} if conversion else {}


def _latency(both: list[tuple[ZooRow, ZooRow]]) -> LatencyShift | None:
    ratios = []
    for old, new in both:
        before = _targets(old)
        for name, target in _targets(new).items():
            was = before[name].latency_ms if name in before else None
            if was and target.latency_ms:
                ratios.append(target.latency_ms / was)
    return LatencyShift(len(ratios), statistics.median(ratios)) if ratios else None
