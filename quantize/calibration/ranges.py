"""From the extremes of each sample to one range a tensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantize.calibration.observe import Extremes

SMOOTHING = 0.95
"""Of the old range, at each sample: ai-edge-quantizer's ``moving_average_update``."""


@dataclass
class RunningRanges:
    """A moving average of the extremes, which rare peaks hardly move, and the widest seen, which any one sets.

    Arrays are (tensors,) of float32. The average depends on the order of samples; the widest does not.
    """

    average: Extremes | None = None
    widest: Extremes | None = None

    def update(self, seen: Extremes) -> None:
        """Take one sample's extremes into account."""
        if self.average is None or self.widest is None:
            self.average = self.widest = seen
            return
        # A python float does not widen float32: these are the library's own numbers, to the last bit.
        self.average = Extremes(
            low=SMOOTHING * self.average.low + (1.0 - SMOOTHING) * seen.low,
            high=SMOOTHING * self.average.high + (1.0 - SMOOTHING) * seen.high,
        )
        self.widest = Extremes(np.minimum(self.widest.low, seen.low), np.maximum(self.widest.high, seen.high))

    def widened(self, by: float) -> Extremes:
        """``by`` of the way from the average (0) to the widest (1)."""
        if self.average is None or self.widest is None:
            raise ValueError("no sample has been seen")
        if by in {0.0, 1.0}:
            return self.widest if by else self.average
        return Extremes(
            low=self.average.low + np.float32(by) * (self.widest.low - self.average.low),
            high=self.average.high + np.float32(by) * (self.widest.high - self.average.high),
        )
