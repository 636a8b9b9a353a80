"""From the extremes of each sample to one range a tensor."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from quantize.calibration.observe import Extremes, Floats
from quantize.recipe import RangeMethod

SMOOTHING = 0.95
"""Of the old range, at each sample: ai-edge-quantizer's ``moving_average_update``."""


@dataclass
class RunningRanges:
    """Every method's ranges, updated sample by sample; arrays are (tensors,)."""

    sample_count: int = 0
    _low: dict[RangeMethod, Floats] = field(default_factory=dict)
    _high: dict[RangeMethod, Floats] = field(default_factory=dict)

    def update(self, seen: Extremes) -> None:
        """Take one sample's extremes into account."""
        self.sample_count += 1
        if self.sample_count == 1:
            self._low = dict.fromkeys(RangeMethod, seen.low)
            self._high = dict.fromkeys(RangeMethod, seen.high)
            return
        average, smallest = RangeMethod.MOVING_AVERAGE, RangeMethod.MIN_MAX
        self._low[average] = _smoothed(self._low[average], seen.low)
        self._high[average] = _smoothed(self._high[average], seen.high)
        self._low[smallest] = np.minimum(self._low[smallest], seen.low)
        self._high[smallest] = np.maximum(self._high[smallest], seen.high)

    def of(self, method: RangeMethod) -> Extremes:
        """The ranges by one method."""
        return Extremes(self._low[method], self._high[method])


def _smoothed(old: Floats, new: Floats) -> Floats:
    smoothed: Floats = SMOOTHING * old + (1.0 - SMOOTHING) * new  # float32 throughout: a python float does not widen
    return smoothed
