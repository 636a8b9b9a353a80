"""From what calibration saw to one range a tensor, by a named method."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from quantize.calibration.effects import Effect
from quantize.calibration.histogram import Histogram
from quantize.calibration.method_names import RangeMethod
from quantize.calibration.methods.entropy import entropy_range
from quantize.calibration.methods.mse import STEPS, mse_range
from quantize.calibration.methods.percentile import percentile_range
from quantize.calibration.statistics import Extremes, Statistics

_Choose = Callable[[Histogram, float, float, Effect, int], tuple[float, float]]
_FROM_HISTOGRAM: dict[RangeMethod, _Choose] = {
    RangeMethod.PERCENTILE: lambda histogram, _low, _high, _effect, _steps: percentile_range(histogram),
    RangeMethod.MSE: mse_range,
    RangeMethod.ENTROPY: lambda histogram, low, high, _effect, _steps: entropy_range(histogram, low, high),
}


WHOLE_INPUT = 0.75
"""Share of what was seen of an input that a range must have to be widened to all of it."""


def ranges_by(method: RangeMethod, seen: Statistics, effects: Sequence[Effect], steps: int = STEPS) -> Extremes:
    """The range of every tensor, none beyond what was seen of it; by a method that needs no more than ``seen``.

    ``effects`` are those of the tensors' readers; a range is stored in ``steps``.
    """
    if method is RangeMethod.MINMAX:
        return seen.widest
    if method is RangeMethod.MEAN:
        return seen.mean_extremes()
    choose = _FROM_HISTOGRAM[method]
    widest = zip(seen.histograms, seen.widest.low, seen.widest.high, effects, strict=True)
    found = [choose(histogram, float(low), float(high), effect, steps) for histogram, low, high, effect in widest]
    low, high = np.array(found, np.float32).reshape(-1, 2).T
    # A range that excludes zero stays as it was seen: int8 holds zero anyway.
    return Extremes(np.maximum(low, seen.widest.low), np.minimum(high, seen.widest.high))


def with_whole_inputs(found: Extremes, widest: Extremes, inputs: Sequence[int]) -> Extremes:
    """The ranges, but for a model's inputs all that was seen where that is not much more.

    Pixels stand on a grid, which int8 meets if its range ends where theirs does.
    """
    low, high = found.low.copy(), found.high.copy()
    for at in inputs:
        seen = max(float(widest.high[at]), 0.0) - min(float(widest.low[at]), 0.0)
        if float(high[at]) - float(low[at]) >= WHOLE_INPUT * seen:
            low[at], high[at] = widest.low[at], widest.high[at]
    return Extremes(low, high)
