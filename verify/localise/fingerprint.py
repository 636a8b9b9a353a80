"""What a tensor's values are like, whatever their order: enough to tell most tensors of a model apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from verify.localise.steps import Values

_QUANTILES = np.linspace(0, 1, 9)
_MOST_VALUES = 1 << 16


@dataclass(frozen=True)
class Fingerprint:
    """The number of values of one sample, their standard deviation and their quantiles."""

    size: int
    deviation: float
    quantiles: tuple[float, ...]

    def near(self, other: Fingerprint) -> bool:
        """Whether the two may be one tensor, up to quantization noise."""
        if self.size != other.size or not (self.deviation > 0 and math.isfinite(self.deviation)):
            return False
        if not 0.6 < other.deviation / self.deviation < 1.6:
            return False
        inner = zip(self.quantiles[1:-1], other.quantiles[1:-1], strict=True)
        return all(abs(one - two) < 0.6 * self.deviation for one, two in inner)


def fingerprint(values: Values) -> Fingerprint:
    """Of ``(samples, *shape)``; does not depend on the order of axes, nor on merged or split ones."""
    size = math.prod(values.shape[1:])
    flat = values.reshape(-1)
    if len(flat) > _MOST_VALUES:
        flat = flat[np.random.default_rng(len(flat)).choice(len(flat), _MOST_VALUES, replace=False)]
    flat = flat.astype(np.float64)
    if not len(flat) or not np.isfinite(flat).all():
        return Fingerprint(size, math.nan, (math.nan,) * len(_QUANTILES))
    return Fingerprint(size, float(flat.std()), tuple(float(value) for value in np.quantile(flat, _QUANTILES)))
