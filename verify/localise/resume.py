"""Where two models go on together after an op that one of them has wrong.

An assumption is tried: this tensor of the judged model stands for that of the trusted one. It holds if the ops after
it, fed that, give what the trusted model has. So an alignment across a fault rests on numbers as any other does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verify.localise.aligned import Aligned
from verify.localise.axes import AxisMap, axis_maps, best_likeness
from verify.localise.graph import REARRANGING, Op
from verify.localise.steps import Values

if TYPE_CHECKING:
    from verify.localise.align import Alignment

MOST_OPS = 16
"""How far behind a fault a counterpart is looked for."""

MOST_TRUSTED = 8
LOOKAHEAD = 8
CLEARLY_DB = 30.0
"""A float tensor so like another needs no confirmation by what follows: a small fault, as an epsilon, leaves it."""


@dataclass(frozen=True)
class Resumption:
    """The judged tensor with which the two models agree again, and what it is in the trusted one."""

    tensor: str
    trusted: str
    axes: AxisMap
    how: str


def resume(
    alignment: Alignment, stretch: Sequence[Op], outputs: Mapping[str, tuple[str, AxisMap]]
) -> Resumption | None:
    """The first of the stretch's tensors whose successors confirm a counterpart, or else the model's own output."""
    second_best: Resumption | None = None
    for op in stretch[:MOST_OPS]:
        for tensor in op.outputs:
            if tensor in outputs:
                return second_best or Resumption(tensor, *outputs[tensor], "output")
            for trial in _trials(alignment, op, tensor):
                if trial.how == "fingerprint":
                    return trial
                confirmed = _confirmed(alignment, trial, outputs)
                if confirmed > 1:
                    return trial
                if confirmed and second_best is None:
                    second_best = trial
    return second_best


def _trials(alignment: Alignment, op: Op, tensor: str) -> Iterator[Resumption]:
    """Trusted tensors that this one may stand for, the one at its place first, then the most alike."""
    stored = alignment.run.computed(tensor)
    if stored is None or op.kind in REARRANGING:
        return
    real = alignment.run.steps.real(tensor, stored)
    ancestors = alignment.run.ancestors(tensor)
    names = alignment.candidates.of_size(math.prod(real.shape[1:]), ancestors)
    names = [name for name in names if name not in ancestors]
    at_place = alignment.places.get(tensor)
    likeness = {}
    for name in names[: 4 * MOST_TRUSTED]:
        found = best_likeness(alignment.candidates.values(name), real, -3.0)
        if found is not None:
            likeness[name] = found
    names.sort(key=lambda name: (name != at_place, -likeness[name].sqnr_db if name in likeness else 3.0))
    for name in names[:MOST_TRUSTED]:
        alike = likeness.get(name)
        if alike is not None and alike.sqnr_db >= max(CLEARLY_DB, alignment.same_db / 2):
            yield Resumption(tensor, name, alike.axes, "fingerprint")
        else:
            for axes in _orders(alignment, op, alignment.candidates.values(name), real):
                yield Resumption(tensor, name, axes, "structure")
    if (
        at_place is not None
        and alignment.candidates.has(at_place)
        and at_place not in names
        and alignment.candidates.descends(at_place, ancestors)
    ):
        resized = _resized(alignment, op, alignment.candidates.values(at_place), real)
        if resized is not None and at_place is not None:
            yield Resumption(tensor, at_place, resized, "structure")


def _orders(alignment: Alignment, op: Op, trusted: Values, judged: Values) -> list[AxisMap]:
    """The order of axes that the tensors have which the op is computed from, if that fits; else every one that does.

    Of a cube, as 16 channels of 16 × 16, every order fits.
    """
    fitting = list(axis_maps(trusted.shape[1:], judged.shape[1:]))
    aligned = alignment.run.aligned
    before = {aligned[each].axes.order for each in op.inputs if each in aligned}
    if not before and op.outputs:
        segment = alignment.run.segment(op.outputs[0])
        before = {aligned[each].axes.order for one in segment for each in one.inputs if each in aligned}
    usual = Counter(each.axes.order for each in aligned.values())
    return sorted(fitting, key=lambda axes: (axes.order not in before, -usual[axes.order]))[:2]


def _resized(alignment: Alignment, op: Op, trusted: Values, judged: Values) -> AxisMap | None:
    """For an op that gives another size than it should: the order of axes of its inputs, at the trusted size."""
    sizes = tuple(size for size in trusted.shape[1:] if size != 1)
    if trusted.ndim != judged.ndim:
        return None
    for each in op.inputs:
        aligned = alignment.run.aligned.get(each)
        if aligned is not None and len(aligned.axes.order) == len(sizes) and not aligned.axes.merged:
            moved = iter(sizes[axis] for axis in aligned.axes.order)
            ones = [at for at, size in enumerate(judged.shape[1:]) if size == 1]
            shape = tuple(1 if at in ones else next(moved, 1) for at in range(judged.ndim - 1))
            return AxisMap(aligned.axes.order, sizes, shape) if math.prod(shape) == math.prod(sizes) else None
    return None


def _confirmed(alignment: Alignment, trial: Resumption, outputs: Mapping[str, tuple[str, AxisMap]]) -> int:
    """What the ops after it say: 0 nothing, 1 one without weights agrees, 2 one with weights does, or several."""
    run = alignment.run
    assumed = Aligned(trial.tensor, trial.trusted, trial.axes, trial.how)
    values: dict[str, Values] = {trial.tensor: run.as_stored(trial.tensor, assumed)}
    agreeing = 0
    ran = 0
    for op in run.graph.ops:
        if not values.keys() & set(op.inputs) or trial.tensor in op.outputs or ran >= LOOKAHEAD:
            continue
        ran += 1
        for tensor, stored in run.run(op, values).items():
            values[tensor] = stored
            if op.kind in REARRANGING:
                continue
            real = run.steps.real(tensor, stored)
            found = alignment.candidates.best(real, alignment.same_db, [trial.trusted], ())
            if found is None or found.trusted == trial.trusted:
                continue
            if not alignment.candidates.descends(found.trusted, [trial.trusted]):
                continue
            agreeing += 2 if op.weighted or tensor in outputs else 1
            if agreeing > 1:
                return agreeing
            values[tensor] = run.as_stored(tensor, Aligned(tensor, found.trusted, found.likeness.axes, "fingerprint"))
    return agreeing
