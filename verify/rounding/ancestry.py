"""Adding up the roundings of every op that an output depends on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from verify.rounding.bound import Roundings


class Uncountable(Exception):
    """How many roundings an op makes cannot be said; the text is why."""


@dataclass(frozen=True)
class CountedOp:
    """One op of a graph; tensors by name or number."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    count: int | None
    reason: str = ""


def roundings_of(ops: Sequence[CountedOp], outputs: Iterable[tuple[str, str]]) -> tuple[Roundings, ...]:
    """Of outputs given as ``(name, tensor)``; each op counts once, however many ways lead from it to the output."""
    made_by = {tensor: number for number, op in enumerate(ops) for tensor in op.outputs}
    return tuple(_of_output(ops, made_by, name, tensor) for name, tensor in outputs)


def _of_output(ops: Sequence[CountedOp], made_by: dict[str, int], name: str, tensor: str) -> Roundings:
    seen: set[int] = set()
    waiting = [tensor]
    count = 0
    while waiting:
        number = made_by.get(waiting.pop())
        if number is None or number in seen:
            continue
        seen.add(number)
        own = ops[number].count
        if own is None:
            return Roundings(name, None, ops[number].reason)
        count += own
        waiting.extend(ops[number].inputs)
    return Roundings(name, count)
