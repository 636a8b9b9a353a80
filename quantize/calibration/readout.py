"""Summaries of what tensors hold after a run: extremes of all values, and the part that is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from quantize.calibration.statistics import Floats, counted_part
from verify.errors import SamplesInvalid

PADDING_LIMIT = 3e38
"""Values at or beyond it are padding (-inf, -3.4e38 before a max pool), no activations."""


@dataclass(frozen=True)
class Summary:
    """Of one tensor on one sample, padding left out."""

    low: float
    high: float
    part: Floats


def summary_of(name: str, values: npt.NDArray[Any], number: int, never_negative: bool) -> Summary:
    """Of the tensor of that name on the ``number``-th sample; the least of what is ``never_negative`` is 0.

    Raises ``SamplesInvalid`` where it holds NaN or nothing finite.
    """
    if not values.size:
        return Summary(0.0, 0.0, values.reshape(-1).copy())
    low, high = 0.0 if never_negative else float(values.min()), float(values.max())
    part = counted_part(values)
    if low > -PADDING_LIMIT and high < PADDING_LIMIT:
        return Summary(low, high, part)
    activations = values[(values > -PADDING_LIMIT) & (values < PADDING_LIMIT)]
    if np.isnan(values).any() or not activations.size:
        raise SamplesInvalid(
            f"tensor {name!r} holds {'NaN' if np.isnan(values).any() else 'no finite value'} "
            f"on calibration sample {number}",
            fix="check that sample, and that the float model gives finite numbers on it",
        )
    counted = part[(part > -PADDING_LIMIT) & (part < PADDING_LIMIT)]
    return Summary(float(activations.min()), float(activations.max()), counted)
