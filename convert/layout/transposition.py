"""A transpose of many axes as transposes of few: TFLite's has at most six.

Axes that stay side by side move as one, and axes of size 1 need no move. The windows of a video Swin, eight axes cut
from five, come to six. Where more are left, one axis after the other is brought to its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from convert.layout.dims import Size, product

MOST_AXES = 6


@dataclass(frozen=True)
class Transposition:
    """Reshape to ``sizes``, then transpose by ``permutation``."""

    sizes: tuple[Size, ...]
    permutation: tuple[int, ...]


def few_axes(sizes: Sequence[Size], permutation: Sequence[int]) -> Iterator[Transposition]:
    """Transpositions of at most six axes that do together what the permutation does to a tensor of these sizes."""
    merged = _merged(sizes, permutation)
    while len(merged.permutation) > MOST_AXES:
        first = merged.permutation.index(next(a for i, a in enumerate(merged.permutation) if a != i))
        axis = merged.permutation[first]
        before, between = merged.sizes[:first], merged.sizes[first:axis]
        yield Transposition(
            (product(before), product(between), merged.sizes[axis], product(merged.sizes[axis + 1 :])), (0, 2, 1, 3)
        )
        order = [*range(first), axis, *(a for a in range(len(merged.sizes)) if a >= first and a != axis)]
        moved = Transposition(tuple(merged.sizes[a] for a in order), tuple(order.index(a) for a in merged.permutation))
        merged = _merged(moved.sizes, moved.permutation)
    yield merged


def _merged(sizes: Sequence[Size], permutation: Sequence[int]) -> Transposition:
    """Without axes of size 1, and with those that stay side by side as one."""
    kept = [axis for axis in permutation if sizes[axis] != 1]
    runs: list[list[int]] = []
    present = sorted(kept)
    after = dict(pairwise(present))
    for axis in kept:
        if runs and after.get(runs[-1][-1]) == axis:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    stored = sorted(runs)
    return Transposition(
        tuple(product(sizes[axis] for axis in run) for run in stored), tuple(stored.index(run) for run in runs)
    )
