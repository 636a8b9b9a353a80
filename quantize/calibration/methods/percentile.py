"""All but the outermost values on either side (Integer Quantization for Deep Learning Inference, 2004.09602, 4.2)."""

from __future__ import annotations

import numpy as np

from quantize.calibration.histogram import HALF, Histogram

KEPT = 0.99999
"""Share of the values that are not above the range, and of those that are not below it."""


def percentile_range(histogram: Histogram, kept: float = KEPT) -> tuple[float, float]:
    """The range, to a bin; it includes zero."""
    seen = np.cumsum(histogram.counts)
    if not seen[-1]:
        return 0.0, 0.0
    outside = (1.0 - kept) * seen[-1]
    lowest = int(np.searchsorted(seen, outside, side="right")) - HALF
    highest = int(np.searchsorted(seen, seen[-1] - outside)) - HALF
    return (min(lowest, 1) - 1) * histogram.width, (max(highest, -1) + 1) * histogram.width
