"""The range that keeps the distribution of values: least Kullback-Leibler divergence of the int8 from the float one.

"8-bit Inference with TensorRT" (S. Migacz, GTC 2017), slides 26 to 38: values beyond the range go to its outermost
bins, each of 255 steps spreads its share over those of its bins that held anything. Zeros are left out, as int8 holds
them exactly; one bound on magnitudes narrows both ends.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quantize.calibration.histogram import HALF, Histogram
from quantize.calibration.methods.mse import STEPS

_RATIO = 2.0 ** (-1 / 8)
_NARROWEST = 40
_UNSEEN = 1e-12
"""Share of a bin to which the int8 distribution gives nothing."""

Reals = npt.NDArray[np.float64]


def entropy_range(histogram: Histogram, low: float, high: float) -> tuple[float, float]:
    """The best range within ``low`` to ``high``, the extremes; it includes zero."""
    counts = histogram.counts.astype(np.float64)
    counts[HALF] = 0.0
    centres = histogram.centres()
    widest = min(low, 0.0), max(high, 0.0)
    best, least = widest, np.inf
    for bound in max(-widest[0], widest[1]) * _RATIO ** np.arange(_NARROWEST):
        narrowed = max(widest[0], -bound), min(widest[1], bound)
        first, last = np.searchsorted(centres, narrowed)
        if last - first <= STEPS // 2:
            break
        divergence = _divergence(counts, centres, slice(int(first), int(last)), narrowed)
        if divergence < least:
            best, least = narrowed, divergence
    return best


def _divergence(counts: Reals, centres: Reals, inside: slice, ends: tuple[float, float]) -> float:
    kept = counts[inside]
    clipped = kept.copy()
    clipped[0] += counts[: inside.start].sum()
    clipped[-1] += counts[inside.stop :].sum()
    step = (ends[1] - ends[0]) / STEPS
    steps = np.clip(np.rint((centres[inside] - ends[0]) / step), 0, STEPS).astype(np.int64)
    held = kept > 0
    share = np.bincount(steps, kept, STEPS + 1) / np.maximum(np.bincount(steps, held, STEPS + 1), 1.0)
    spread = np.where(held, share[steps], 0.0)
    if not spread.any():
        return float("inf")
    wanted, given = clipped / clipped.sum(), spread / spread.sum()
    seen = wanted > 0
    return float((wanted[seen] * np.log(wanted[seen] / np.maximum(given[seen], _UNSEEN))).sum())
