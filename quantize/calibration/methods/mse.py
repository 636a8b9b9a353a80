"""The range that rounds and clips with the least squared error.

Rounding to steps of s costs s² / 12 a value, clipping x to c costs (x - c)²: 1810.05723 (Banner et al.), equations 2 to
6, with the histogram in the place of an assumed distribution, and either end on its own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quantize.calibration.histogram import HALF, Histogram

STEPS = 255
"""Of an int8 range."""

_RATIO = 2.0 ** (-1 / 16)
_NARROWEST = 112
"""Ends are tried at these powers of the ratio, down to 1/128 of the extreme."""

_CANDIDATES = _RATIO ** np.arange(_NARROWEST)

Reals = npt.NDArray[np.float64]


def mse_range(histogram: Histogram, low: float, high: float) -> tuple[float, float]:
    """The best range within ``low`` to ``high``, the extremes; it includes zero."""
    lows, highs = min(low, 0.0) * _CANDIDATES, max(high, 0.0) * _CANDIDATES
    below = _clipping(histogram.counts[HALF::-1], histogram.width, -lows)
    above = _clipping(histogram.counts[HALF:], histogram.width, highs)
    rounded = histogram.total - int(histogram.counts[HALF])
    steps = (highs[None, :] - lows[:, None]) / STEPS
    errors = below[:, None] + above[None, :] + rounded * steps**2 / 12
    at_low, at_high = np.unravel_index(np.argmin(errors), errors.shape)
    return float(lows[at_low]), float(highs[at_high])


def _clipping(counts: npt.NDArray[np.int64], width: float, ends: Reals) -> Reals:
    """Σ (x - end)² over the values beyond each end; ``counts`` go outwards from zero, whose bin has no width."""
    centres = (np.arange(len(counts)) + 0.5) * width
    outside = np.searchsorted(centres, ends, side="right")
    count, total, squares = (_tails(counts * centres**power) for power in range(3))
    beyond = squares[outside] - 2 * ends * total[outside] + ends**2 * count[outside]
    return np.maximum(beyond, 0.0)


def _tails(terms: Reals) -> Reals:
    """Sums from each index to the end, and 0 after it."""
    return np.append(np.cumsum(terms[::-1])[::-1], 0.0)
