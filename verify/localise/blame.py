"""Which of the ops that lead to a wrong layer is to blame, by what the other ops show.

Two proofs by numbers: an op that also leads to a layer that is right cannot be wrong; and an op after which everything
would be right, did it only give what the trusted model has somewhere in between, is the one, or lacks a step.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from verify.localise.aligned import Aligned
from verify.localise.axes import AxisMap, axis_maps
from verify.localise.candidates import Candidates
from verify.localise.golden_run import GoldenRun
from verify.localise.graph import REARRANGING, Op
from verify.localise.permuted import ops_between
from verify.localise.steps import Values

_MOST_OPS = 16
_MOST_OF_STRETCH = 48
"""A longer one, as an unrolled recurrence, would take minutes to try through."""

_MOST_TRUSTED = 8


@dataclass(frozen=True)
class Instead:
    """``op`` gives something else than the trusted model's op ``trusted`` there: with that, what follows is right.

    ``lacks`` says that the judged op is right as far as it goes, and that the step of ``trusted`` is missing.
    """

    op: Op
    trusted: Op
    lacks: bool

    def __str__(self) -> str:
        it, theirs = f"{self.op.kind} {self.op.index}", f"{self.trusted.kind} {self.trusted.index}"
        if self.lacks:
            return f"The trusted model has {theirs} here, and this model has nothing that does it."
        return f"If {it} gave what {theirs} of the trusted model gives, what follows would be right."


def uncleared(guilty: Aligned, layers: Sequence[Aligned], bound_db: float) -> tuple[Op, ...]:
    """The ops of a wrong layer without those that lead to a right one too; all of them if none would be left."""
    right = [each for each in layers if each.local_sqnr_db is None or each.local_sqnr_db > bound_db]
    cleared = {op.index for each in right for op in each.ops}
    return tuple(op for op in guilty.ops if op.index not in cleared) or guilty.ops


def instead_of(
    run: GoldenRun,
    candidates: Candidates,
    guilty: Aligned,
    stretch: Collection[Op],
    *,
    places: Mapping[str, str],
    right: Callable[[Values], bool],
) -> Instead | None:
    """The first op with which a layer would be ``right`` if it gave what one of the trusted ``stretch`` gives."""
    inner = {
        name: op
        for op in stretch
        for name in op.outputs
        if op.kind not in REARRANGING and name != guilty.trusted and candidates.has(name)
    }
    for op in _before(run, guilty):
        tensor = op.outputs[0]
        wanted = sorted(inner, key=lambda name: name != places.get(tensor))
        for name in wanted[:_MOST_TRUSTED]:
            if _is_right_with(run, candidates, guilty, op, name, right):
                return _told(run, guilty, op, inner[name], stretch)
    return None


def _told(run: GoldenRun, guilty: Aligned, op: Op, trusted: Op, stretch: Collection[Op]) -> Instead:
    aligned = run.aligned.get(op.outputs[0])
    given = {name for each in stretch for name in each.outputs}
    held = set() if aligned is None else {aligned.trusted}
    for each in stretch:
        held.update(each.outputs if each.kind in REARRANGING and held.intersection(each.inputs) else ())
    if aligned is None or not held.intersection(trusted.inputs) or aligned.trusted in given:
        return Instead(op, trusted, lacks=False)
    if run.steps.fuses_activations:
        producers = run.graph.producers()
        while op.kind in REARRANGING and op.inputs and op.inputs[0] in producers:
            op = producers[op.inputs[0]]
        return Instead(op, trusted, lacks=True)
    behind = ops_between(run, op, guilty.tensor)
    return Instead(behind[0] if behind else op, trusted, lacks=True)


def _before(run: GoldenRun, guilty: Aligned) -> list[Op]:
    """The ops that a tensor is computed from: its own stretch and the nearest before it, the first in front."""
    producers = run.graph.producers()
    own = guilty.ops if len(guilty.ops) <= _MOST_OF_STRETCH else ()
    found: dict[int, Op] = {op.index: op for op in own if op.outputs[0] != guilty.tensor}
    most = len(found) + _MOST_OPS
    waiting = [each for op in (own or guilty.ops[-1:]) for each in op.inputs]
    while waiting and len(found) < most:
        op = producers.get(waiting.pop(0))
        if op is not None and op.index not in found and guilty.tensor not in op.outputs:
            found[op.index] = op
            waiting += op.inputs
    return [found[index] for index in sorted(found)]


def _is_right_with(  # noqa: PLR0917
    run: GoldenRun, candidates: Candidates, guilty: Aligned, op: Op, trusted: str, right: Callable[[Values], bool]
) -> bool:
    tensor = op.outputs[0]
    own, aligned = run.value(tensor), run.aligned.get(tensor)
    if own is None or (aligned is not None and aligned.trusted == trusted):
        return False
    behind = ops_between(run, op, guilty.tensor)
    for axes in _orders(run, op, aligned, candidates.values(trusted), own):
        assumed = Aligned(tensor, trusted, axes, "structure")
        values = {tensor: run.as_stored(tensor, assumed)}
        for each in behind:
            values |= run.run(each, values)
        if guilty.tensor in values and right(run.steps.real(guilty.tensor, values[guilty.tensor])):
            return True
    return False


def _orders(run: GoldenRun, op: Op, aligned: Aligned | None, trusted: Values, own: Values) -> Iterator[AxisMap]:
    known = {aligned.axes.order} if aligned is not None else set()
    known |= {run.aligned[each].axes.order for each in op.inputs if each in run.aligned}
    fitting = list(axis_maps(trusted.shape[1:], own.shape[1:]))
    yield from sorted(fitting, key=lambda axes: axes.order not in known)[:2]
