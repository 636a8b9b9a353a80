"""95 % confidence intervals: of how much worse one model is than another on the same samples, and of a share."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from verify.task.measures import Floats, Measure

RESAMPLES = 500
Z_95 = 1.96

Interval = tuple[float, float]


def paired_drop(before: Floats, after: Floats, measure: Measure) -> Interval:
    """Of the drop in a measure from its rows before to those after, sample by sample."""
    if before.ndim == 1 and np.isin(before, (0.0, 1.0)).all() and np.isin(after, (0.0, 1.0)).all():
        return paired_shares(before, after)
    return bootstrap(len(before), lambda chosen: measure.of(before[chosen]) - measure.of(after[chosen]))


def paired_shares(before: Floats, after: Floats) -> Interval:
    """Of the drop in the share of ones: Wald's interval with half a sample added to each of the four cells
    (Agresti and Min, Statistics in Medicine 24, 2005), which does not vanish where no answer changed.
    """
    lost, won = (float(np.sum(before > after)) + 0.5, float(np.sum(before < after)) + 0.5)
    count = len(before) + 2.0
    drop = (lost - won) / count
    reach = Z_95 * math.sqrt(lost + won - (lost - won) ** 2 / count) / count
    return drop - reach, drop + reach


def share(ones: float, count: int) -> Interval:
    """Of a share: Wilson's score interval, which is sound near 0 and 1 (Wilson, JASA 22, 1927)."""
    found, weight = ones / count, Z_95**2 / count
    middle = (found + weight / 2) / (1 + weight)
    reach = Z_95 / (1 + weight) * math.sqrt(found * (1 - found) / count + weight / (4 * count))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def bootstrap(count: int, statistic: Callable[[np.ndarray[tuple[int], np.dtype[np.int64]]], float]) -> Interval:
    """Of a statistic of samples chosen by index, by drawing as many with replacement (percentile interval, seeded)."""
    random = np.random.default_rng(0)
    drawn = [statistic(random.integers(count, size=count)) for _ in range(RESAMPLES)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)
