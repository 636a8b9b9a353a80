"""What is kept of the values that activations held: extremes over all values, a histogram of a fixed part of them.

None of it but the moving average depends on the order of samples, and nothing grows with their number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quantize.calibration.exact_sum import ExactSums
from quantize.calibration.histogram import Histogram

SMOOTHING = 0.95
"""Of the old range, at each sample: ai-edge-quantizer's ``moving_average_update``."""

COUNTED_VALUES = 8192
"""Of one tensor on one sample, about: whole rows of channels, evenly spread. More would cost more than running it."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Extremes:
    """The smallest and largest value of each tensor. Both are (tensors,)."""

    low: Floats
    high: Floats


class Statistics:
    """Of ``tensors`` activations."""

    def __init__(self, tensors: int) -> None:
        self.samples = 0
        self.widest = Extremes(np.full(tensors, np.inf, np.float32), np.full(tensors, -np.inf, np.float32))
        self.histograms = tuple(Histogram() for _ in range(tensors))
        self._sums = ExactSums(tensors), ExactSums(tensors)

    def add(self, extremes: Extremes, parts: Iterable[Floats]) -> None:
        """One sample: the extremes of its values, and the part of each tensor that is counted."""
        self.samples += 1
        self.widest = Extremes(np.minimum(self.widest.low, extremes.low), np.maximum(self.widest.high, extremes.high))
        for sums, found in zip(self._sums, (extremes.low, extremes.high), strict=True):
            sums.add(found)
        largest = np.maximum(-extremes.low, extremes.high)
        for histogram, part, bound in zip(self.histograms, parts, largest, strict=True):
            histogram.add(part, float(bound))

    def merged(self, other: Statistics) -> Statistics:
        """Of the samples of both."""
        both = Statistics(len(self.histograms))
        both.samples = self.samples + other.samples
        both.widest = Extremes(
            np.minimum(self.widest.low, other.widest.low), np.maximum(self.widest.high, other.widest.high)
        )
        pairs = zip(self.histograms, other.histograms, strict=True)
        both.histograms = tuple(mine.merged(theirs) for mine, theirs in pairs)
        for sums, mine, theirs in zip(both._sums, self._sums, other._sums, strict=True):
            sums.merge(mine)
            sums.merge(theirs)
        return both

    def mean_extremes(self) -> Extremes:
        """Of the samples' smallest and largest values."""
        low, high = (sums.mean(self.samples) for sums in self._sums)
        return Extremes(low, high)


class MovingAverage:
    """Of the extremes, as ai-edge-quantizer calibrates: early and late samples weigh differently."""

    def __init__(self) -> None:
        self.extremes: Extremes | None = None

    def add(self, seen: Extremes) -> None:
        """Take one sample's extremes into account."""
        if self.extremes is None:
            self.extremes = seen
            return
        # A python float does not widen float32: these are the library's own numbers, to the last bit.
        self.extremes = Extremes(
            low=SMOOTHING * self.extremes.low + (1.0 - SMOOTHING) * seen.low,
            high=SMOOTHING * self.extremes.high + (1.0 - SMOOTHING) * seen.high,
        )


def counted_part(values: Floats) -> Floats:
    """A copy of the values of a tensor that are counted, (values,): all of a small one, else rows along its last axis.

    Rows are taken in steps that share no factor with the other axes, so that they do not stand in one column.
    """
    if values.size <= COUNTED_VALUES:
        return values.reshape(-1).copy()
    whole_rows = values.shape[-1] <= COUNTED_VALUES // 8
    row, others = (values.shape[-1], values.shape[1:-1]) if whole_rows else (1, values.shape[1:])
    step = -(-values.size // COUNTED_VALUES)
    while any(math.gcd(step, size) > 1 for size in others):
        step += 1
    return values.reshape(-1, row)[::step].reshape(-1).copy()
