"""Which inputs move which outputs: one that only one of two models heeds is a failure, however small its part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from verify.batches import Array, read_batch
from verify.judge import NOT_FOLLOWING
from verify.report.findings import InputInfluence
from verify.report.types import EdgeReport, OutputComparison, Verdict, worst_verdict
from verify.samples.mixed import MixedInput
from verify.tallies.grid import OutputGrid
from verify.tolerance import Budget, FloatBudget

IGNORES = "ignores an input"
HEEDS = "heeds an ignored input"


def with_influences(
    edge: EdgeReport,
    *,
    expected: Path,
    actual: Path,
    mixed: Sequence[MixedInput],
    budget: Budget,
    grids: tuple[OutputGrid, ...] = (),
) -> EdgeReport:
    """The edge, with a failure for each output that an input moves in one model only, and a note where in neither.

    ``expected`` and ``actual`` hold the outputs of all batches, those of ``mixed`` among them. What moves less than the
    budget allows, or than two steps of a quantized output, is not missed.
    """
    influences = tuple(_influences(expected, actual, mixed))
    limits = _Limits(edge, budget, {grid.name: grid.scale for grid in grids})
    failed = {each.output: found for each in influences if (found := _failure(each, limits, edge)) is not None}
    outputs = tuple(
        _failing(output, *failed[output.name]) if output.name in failed else output for output in edge.outputs
    )
    return replace(
        edge,
        outputs=outputs,
        verdict=worst_verdict(output.verdict for output in outputs),
        notes=(*edge.notes, *_unheeded(influences)),
    )


def _influences(expected: Path, actual: Path, mixed: Sequence[MixedInput]) -> Iterator[InputInfluence]:
    for each in mixed:
        files = [folder / name for folder in (expected, actual) for name in (each.base, each.file)]
        if not all(path.is_file() for path in files):
            continue
        base, moved, their_base, their_moved = (read_batch(path) for path in files)
        for name in base.keys() & moved.keys() & their_base.keys() & their_moved.keys():
            yield InputInfluence(
                each.input, name, _change(base[name], moved[name]), _change(their_base[name], their_moved[name])
            )


def _change(before: Array, after: Array) -> float | None:
    """The largest absolute one; ``None`` where it is no number."""
    if before.shape != after.shape:
        return None
    with np.errstate(invalid="ignore"):
        difference = np.abs(before.astype(np.float64) - after.astype(np.float64))
    difference[before == after] = 0.0
    largest = float(difference.max(initial=0.0))
    return largest if np.isfinite(largest) else None


class _Limits:
    """How far each output may move without its being missed."""

    def __init__(self, edge: EdgeReport, budget: Budget, steps: dict[str, float]) -> None:
        self._rms = {output.name: output.rms_error or 0.0 for output in edge.outputs}
        self._budget, self._steps = budget, steps

    def of(self, output: str) -> float:
        if isinstance(self._budget, FloatBudget):
            floor = self._budget.floor(output)
            return self._budget.margin * floor.max_abs if floor else 0.0
        return 2 * max(self._steps.get(output, 0.0), self._rms.get(output, 0.0))


def _failure(influence: InputInfluence, limits: _Limits, edge: EdgeReport) -> tuple[str, str] | None:
    ours, theirs, limit = influence.expected_change, influence.actual_change, limits.of(influence.output)
    if ours is None or theirs is None:
        return None
    if theirs == 0 and ours > limit:
        return (
            IGNORES,
            f"{influence.input} moves it by up to {ours:.3g} in {edge.expected}, and not at all in {edge.actual}",
        )
    if ours == 0 and theirs > limit:
        return (
            HEEDS,
            f"{influence.input} moves it by up to {theirs:.3g} in {edge.actual}, and not at all in {edge.expected}",
        )
    return None


def _failing(output: OutputComparison, failure: str, explanation: str) -> OutputComparison:
    """A failure that is there already keeps its name, unless this is why."""
    named = output.verdict is Verdict.FAIL and output.failure != NOT_FOLLOWING
    return replace(
        output,
        verdict=Verdict.FAIL,
        failure=output.failure if named else failure,
        explanation=f"{failure[0].upper()}{failure[1:]}: {explanation}. {output.explanation}",
    )


def _unheeded(influences: Sequence[InputInfluence]) -> Iterator[str]:
    """Inputs that move no output of either model."""
    for name in dict.fromkeys(each.input for each in influences):
        changes = [(each.expected_change, each.actual_change) for each in influences if each.input == name]
        if all(change == (0.0, 0.0) for change in changes):
            yield f"{name} moves no output of either model: what it does could not be compared"
