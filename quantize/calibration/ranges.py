"""From what calibration saw to one range a tensor, by a named method."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quantize.calibration.histogram import Histogram
from quantize.calibration.method_names import RangeMethod
from quantize.calibration.methods.entropy import entropy_range
from quantize.calibration.methods.mse import mse_range
from quantize.calibration.methods.percentile import percentile_range
from quantize.calibration.statistics import Extremes, Statistics

_FROM_HISTOGRAM: dict[RangeMethod, Callable[[Histogram, float, float], tuple[float, float]]] = {
    RangeMethod.PERCENTILE: lambda histogram, _low, _high: percentile_range(histogram),
    RangeMethod.MSE: mse_range,
    RangeMethod.ENTROPY: entropy_range,
}


def ranges_by(method: RangeMethod, seen: Statistics) -> Extremes:
    """The range of every tensor, none beyond what was seen of it; by a method that needs no more than ``seen``."""
    if method is RangeMethod.MINMAX:
        return seen.widest
    if method is RangeMethod.MEAN:
        return seen.mean_extremes()
    choose = _FROM_HISTOGRAM[method]
    widest = zip(seen.histograms, seen.widest.low, seen.widest.high, strict=True)
    found = np.array([choose(histogram, float(low), float(high)) for histogram, low, high in widest]).reshape(-1, 2)
    # A range that excludes zero stays as it was seen: int8 holds zero anyway.
    low, high = found.astype(np.float32).T
    return Extremes(np.maximum(low, seen.widest.low), np.minimum(high, seen.widest.high))
