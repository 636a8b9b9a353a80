"""A transposition that is itself the fault.

Whatever the order of its axes, its output holds what its input holds: it aligns, and only an op behind it goes wrong.
So the orders that it could have had are tried: if with one of them the op behind is right, the order was wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np

from verify.localise.golden_run import GoldenRun
from verify.localise.graph import Op
from verify.localise.kinds import class_of
from verify.localise.steps import Values

_TRANSPOSING = frozenset({"TRANSPOSE", "Transpose"})
_BOUND_TO_AXES = frozenset({"Conv", "ConvTranspose", "Gemm"})
"""One of these that comes out right between a transposition and a fault has read the right order of axes."""

_MOST_TRANSPOSITIONS = 6
_MOST_OPS_BETWEEN = 16
_MOST_AXES = 5


def wrong_transposition(
    run: GoldenRun, tensor: str, right: Callable[[Values], bool], usual: Callable[[str], bool]
) -> Op | None:
    """The nearest transposition before a tensor with another order of which it comes out ``right`` (of its real
    values); one whose output is as ``usual`` only if there is no other.
    """
    found = [op for op in _transpositions(run, tensor) if _explains(run, op, tensor, right)]
    return next((op for op in found if not usual(op.outputs[0])), found[0] if found else None)


def _transpositions(run: GoldenRun, tensor: str) -> list[Op]:
    """Those that a tensor is computed from, the nearest first."""
    producers = run.graph.producers()
    found: list[Op] = []
    waiting, seen = [tensor], {tensor}
    for _ in range(_MOST_OPS_BETWEEN):
        if not waiting or len(found) == _MOST_TRANSPOSITIONS:
            break
        op = producers.get(waiting.pop(0))
        if op is None:
            continue
        found += [op] if op.kind in _TRANSPOSING else []
        fresh = [each for each in op.inputs if each not in seen]
        seen.update(fresh)
        waiting += fresh
    return found


def _explains(run: GoldenRun, op: Op, tensor: str, right: Callable[[Values], bool]) -> bool:
    given = run.value(op.inputs[0])
    if given is None or given.ndim - 1 > _MOST_AXES or given.ndim < 3:
        return False
    behind = ops_between(run, op, tensor)
    if any(class_of(each.kind) in _BOUND_TO_AXES and each.outputs[0] in run.aligned for each in behind[:-1]):
        return False
    (own,) = run.run(op).values() or (None,)
    for order in permutations(range(1, given.ndim)):  # those that keep the first axis come first
        other = np.ascontiguousarray(given.transpose(0, *order))
        if own is not None and other.shape == own.shape and np.array_equal(other, own):
            continue
        values = {op.outputs[0]: other}
        for each in behind:
            values |= run.run(each, values)
        if tensor in values and right(run.steps.real(tensor, values[tensor])):
            return True
    return False


def ops_between(run: GoldenRun, op: Op, tensor: str) -> list[Op]:
    """The ops that lead from one to a tensor, in order."""
    after, found = set(op.outputs), []
    for each in run.graph.ops:
        if each.index > op.index and after.intersection(each.inputs):
            after.update(each.outputs)
            found.append(each)
    needed, kept = {tensor}, []
    for each in reversed(found):
        if needed.intersection(each.outputs):
            needed.update(each.inputs)
            kept.append(each)
    return kept[::-1]
