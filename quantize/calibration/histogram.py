"""How often a tensor held which values, in a fixed number of bins, whatever the order of what it held.

Bins are a power of two wide and begin at zero, on either side. When a value exceeds them they double in width, and each
takes in its outer neighbour: the counts are then what they would have been from the start.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

HALF = 2048
"""Bins on either side of zero; the largest magnitude is in the outer half of them."""

_HALF_BITS = HALF.bit_length() - 1
_LEAST_EXPONENT = -126
"""Nothing smaller is told from zero; multiplying by its inverse is exact in float32."""

_MOST_COUNTED = 2**32 - 1
"""In four bytes a bin; beyond, a bin takes eight."""

Counts = npt.NDArray[np.integer[Any]]
Reals = npt.NDArray[np.float64]


class Histogram:
    """``counts[HALF + i]`` values lie in ``[i, i + 1) × width`` for i > 0, mirrored for i < 0; i = 0 is around zero."""

    def __init__(self) -> None:
        self.counts: Counts = np.zeros(2 * HALF, np.uint32)
        self.total = 0
        """How many values were counted."""
        self._exponent = _LEAST_EXPONENT

    @property
    def width(self) -> float:
        """Of a bin, in the tensor's unit; that around zero has twice as much."""
        return math.ldexp(1.0, self._exponent)

    def centres(self) -> Reals:
        """The middle of each bin, (2 × HALF,)."""
        steps = np.arange(-HALF, HALF, dtype=np.float64)
        return (steps + 0.5 * np.sign(steps)) * self.width

    def add(self, values: npt.NDArray[np.float32], largest: float) -> None:
        """Count finite values, (values,), none of a magnitude above ``largest``."""
        self._cover(_exponent_for(largest))
        bins = (values * np.float32(math.ldexp(1.0, -self._exponent))).astype(np.int64)
        bins += HALF
        self._count(np.bincount(bins, minlength=2 * HALF), values.size)

    def merged(self, other: Histogram) -> Histogram:
        """The values of both."""
        both = Histogram()
        both._exponent = max(self._exponent, other._exponent)
        for each in (self, other):
            both._count(_coarser(each.counts, both._exponent - each._exponent), each.total)
        return both

    def _count(self, counts: Counts, total: int) -> None:
        self.total += total
        if self.total > _MOST_COUNTED and self.counts.dtype == np.uint32:
            self.counts = self.counts.astype(np.int64)
        np.add(self.counts, counts, out=self.counts, casting="unsafe")

    def _cover(self, exponent: int) -> None:
        if exponent > self._exponent:
            self.counts = _coarser(self.counts, exponent - self._exponent).astype(self.counts.dtype)
            self._exponent = exponent


def _exponent_for(largest: float) -> int:
    """The least at which ``largest`` falls into a bin: it is below 2 to the exponent that ``frexp`` gives."""
    return max(math.frexp(largest)[1] - _HALF_BITS, _LEAST_EXPONENT) if largest > 0 else _LEAST_EXPONENT


def _coarser(counts: Counts, doublings: int) -> Counts:
    """Counts of bins that are ``2 ** doublings`` as wide."""
    if doublings <= 0 or not counts.any():
        return counts
    ratio = 2 ** min(doublings, _HALF_BITS)
    kept = HALF // ratio
    coarse = np.zeros(2 * HALF, np.int64)
    above, below = counts[HALF:], np.append(0, counts[HALF - 1 : 0 : -1])
    coarse[HALF : HALF + kept] = above.reshape(kept, ratio).sum(axis=1)
    coarse[HALF : HALF - kept : -1] += below.reshape(kept, ratio).sum(axis=1)
    return coarse
