"""How a tensor of an int8 file is stored: from real numbers to stored ones and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from quantize.calibration.effects import Effect
from quantize.calibration.readout import PADDING_LIMIT
from verify.report.anatomy import ActivationRange

Values = npt.NDArray[Any]


@dataclass(frozen=True)
class Storage:
    """``real = (stored - zero_point) * scale``."""

    scale: float
    zero_point: int
    dtype: np.dtype[Any]

    @property
    def low(self) -> float:
        """The smallest number that it holds."""
        return (int(np.iinfo(self.dtype).min) - self.zero_point) * self.scale

    @property
    def high(self) -> float:
        """The largest."""
        return (int(np.iinfo(self.dtype).max) - self.zero_point) * self.scale

    def store(self, real: Values) -> Values:
        """Rounded, and clipped to what it holds."""
        limits = np.iinfo(self.dtype)
        with np.errstate(invalid="ignore", over="ignore"):
            steps = np.rint(real.astype(np.float32) / np.float32(self.scale)) + np.float32(self.zero_point)
            stored: Values = np.clip(steps, limits.min, limits.max).astype(self.dtype)
        return stored

    def real(self, stored: Values) -> Values:
        """The way back, float32."""
        return (stored.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)

    def range_of(self, arrays: list[Values], effect: Effect = Effect.IDENTITY) -> ActivationRange:
        """Beside what the float model holds there; padding is left out.

        A value counts as clipped where what its readers come to is another one: hard-swish gives 0 for -3 and for -5.
        """
        values = np.concatenate([each[is_activation(each)] for each in arrays])
        if not values.size:
            return ActivationRange(self.low, self.high, 0.0, 0.0, 0.0, 0.0)
        half = np.float32(self.scale / 2)
        outside = values[(values < self.low - half) | (values > self.high + half)]
        if effect not in {Effect.IDENTITY, Effect.NORMALISER}:
            clipped = np.clip(outside, np.float32(self.low), np.float32(self.high))
            outside = outside[np.abs(effect.values(outside) - effect.values(clipped)) > half]
        return ActivationRange(
            low=self.low,
            high=self.high,
            seen_low=float(values.min()),
            seen_high=float(values.max()),
            below=float(np.count_nonzero(outside < self.low) / values.size),
            above=float(np.count_nonzero(outside > self.high) / values.size),
        )


def storage_of(tensor: Any) -> Storage | None:
    """``None`` where it is not stored by one scale: floats, indices, booleans."""
    from ai_edge_litert.schema_py_generated import TensorType

    kinds = {TensorType.INT8: np.int8, TensorType.UINT8: np.uint8, TensorType.INT16: np.int16}
    parameters = tensor.quantization
    if tensor.type not in kinds or parameters is None or parameters.scale is None or len(parameters.scale) != 1:
        return None
    return Storage(float(parameters.scale[0]), int(parameters.zeroPoint[0]), np.dtype(kinds[tensor.type]))


def is_activation(values: Values) -> npt.NDArray[np.bool_]:
    """Where an array holds finite numbers and no padding."""
    return np.asarray(np.abs(values) < PADDING_LIMIT)  # False for NaN
