"""Summaries of what tensors hold after a run: extremes of all values, and the part that is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from quantize.calibration.statistics import Floats, counted_part
from verify.errors import QuantizationFailed, SamplesInvalid

PADDING_LIMIT = 3e38
"""Values at or beyond it are padding (-inf, -3.4e38 before a max pool), no activations."""


@dataclass(frozen=True)
class Summary:
    """Of one tensor on one sample, padding left out."""

    low: float
    high: float
    part: Floats


@dataclass(frozen=True)
class Reader:
    """Reads ``tensors`` (name, index) of an interpreter's subgraph.

    Of those that are ``never_negative`` the smallest value is 0.
    """

    interpreter: Any
    subgraph: int
    tensors: Sequence[tuple[str, int]]
    never_negative: frozenset[int]

    def read(self, number: int) -> list[Summary]:
        """Of each tensor, in order; ``number`` is the sample's, for errors."""
        return [self._summary(name, at, number) for name, at in self.tensors]

    def _summary(self, name: str, at: int, number: int) -> Summary:
        values = self._values(name, at)
        if not values.size:
            return Summary(0.0, 0.0, values.reshape(-1).copy())
        low, high = 0.0 if at in self.never_negative else float(values.min()), float(values.max())
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

    def _values(self, name: str, at: int) -> npt.NDArray[Any]:
        """What a tensor holds: LiteRT's own memory where it can be had, which the next run overwrites."""
        try:
            if self.subgraph == 0:
                return np.asarray(self.interpreter.tensor(at)())
            return np.asarray(self.interpreter.get_tensor(at, self.subgraph))
        except ValueError as error:
            raise QuantizationFailed(
                f"LiteRT keeps no values of tensor {name!r}, so its range cannot be learnt: {error}",
                fix="use the float16 or dynamic int8 file",
            ) from error
