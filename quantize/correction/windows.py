"""The windows that a convolution's kernel looks at, some of them as rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Axis:
    """A kernel's way along one axis of an image: ``before`` and ``after`` are rows of padding."""

    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    count: int

    @classmethod
    def of(cls, size: int, kernel: int, stride: int, dilation: int, same: bool) -> Axis:
        """As LiteRT pads and counts: with SAME there are ceil(size / stride) windows."""
        reach = (kernel - 1) * dilation + 1
        count = -(-size // stride) if same else (size - reach) // stride + 1
        missing = max((count - 1) * stride + reach - size, 0) if same else 0
        return cls(kernel, stride, dilation, missing // 2, missing - missing // 2, count)


@dataclass(frozen=True)
class Windows:
    """All windows over images of one size."""

    rows: Axis
    columns: Axis

    @classmethod
    def of(cls, options: Any, image: Array, kernel: tuple[int, int]) -> Windows:
        """Of a CONV_2D's or DEPTHWISE_CONV_2D's options, over ``image`` (batch, height, width, channels)."""
        from ai_edge_litert.schema_py_generated import Padding

        same = options.padding == Padding.SAME
        return cls(
            Axis.of(image.shape[1], kernel[0], options.strideH, max(options.dilationHFactor, 1), same),
            Axis.of(image.shape[2], kernel[1], options.strideW, max(options.dilationWFactor, 1), same),
        )

    @property
    def count(self) -> int:
        """Windows an image."""
        return self.rows.count * self.columns.count

    def padded(self, image: Array, value: float) -> Array:
        """With ``value``, what stands for 0, around it."""
        widths = ((0, 0), (self.rows.before, self.rows.after), (self.columns.before, self.columns.after), (0, 0))
        return np.pad(image, widths, constant_values=value) if any(map(any, widths)) else image

    def some(self, padded: Array, positions: npt.NDArray[np.int64]) -> Array:
        """(positions, kernel height, kernel width, channels): windows of the first image."""
        row, column = np.divmod(positions, self.columns.count)
        rows = row[:, None] * self.rows.stride + np.arange(self.rows.kernel) * self.rows.dilation
        columns = column[:, None] * self.columns.stride + np.arange(self.columns.kernel) * self.columns.dilation
        found: Array = padded[0, rows[:, :, None], columns[:, None, :]]
        return found
