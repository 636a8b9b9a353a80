"""Whether an output moves from sample to sample as it should: a large mean hides that it does not."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from verify.metrics import Array

FEWEST_SAMPLES = 8
LEAST_CORRELATION = 0.5
"""Of the changes around each element's mean. Noise alone takes it so low only where it is three times their energy."""

MOST_SPREAD = 2.0
"""Times the expected energy: what varies by more is noise, and a matter of the budget."""


@dataclass
class _Moments:
    """Sums over the samples of one shape, element by element."""

    count: int
    expected: npt.NDArray[np.float64]
    actual: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]
    """Σ expected², Σ actual² and Σ expected · actual, over samples and elements."""


@dataclass
class Following:
    """Of one output; it holds two arrays of the size of one sample for each shape that it came in."""

    _by_shape: dict[tuple[int, ...], _Moments] = field(default_factory=dict)

    def note(self, expected: Array, actual: Array) -> None:
        """Take in one batch of finite numbers, ``(batch, …)``."""
        if expected.ndim < 2 or not expected.size:
            return
        shape = expected.shape[1:]
        if shape not in self._by_shape:
            self._by_shape[shape] = _Moments(0, np.zeros(shape), np.zeros(shape), np.zeros(3))
        wanted, given = expected.astype(np.float64), actual.astype(np.float64)
        moments = self._by_shape[shape]
        moments.count += len(wanted)
        moments.expected += wanted.sum(axis=0)
        moments.actual += given.sum(axis=0)
        moments.squares += [float(np.vdot(*pair)) for pair in ((wanted, wanted), (given, given), (wanted, given))]

    def failure(self, step: float) -> str | None:
        """How it fails to follow, as a phrase. ``step`` is the output's own: changes of less cannot be followed."""
        if not self._by_shape:
            return None
        moments = max(self._by_shape.values(), key=lambda each: each.count)
        count = moments.count
        if count < FEWEST_SAMPLES:
            return None
        means = (
            float(np.vdot(*pair)) / count
            for pair in (
                (moments.expected, moments.expected),
                (moments.actual, moments.actual),
                (moments.expected, moments.actual),
            )
        )
        wanted, given, both = (float(total - mean) for total, mean in zip(moments.squares, means, strict=True))
        change = math.sqrt(max(wanted, 0.0) / (count * max(moments.expected.size, 1)))
        if change <= step or wanted <= 0 or given > MOST_SPREAD * wanted:
            return None
        correlation = both / math.sqrt(wanted * given) if given > 0 else 0.0
        if correlation >= LEAST_CORRELATION:
            return None
        return (
            f"around its mean over {count} samples it should change by {change:.3g} (root mean square), and what it "
            f"does instead correlates with that by {correlation:.2f} (at least {LEAST_CORRELATION:g})"
        )
