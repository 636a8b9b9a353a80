"""The windows that a convolution's kernel looks at, some of them as rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Axis:
    """A kernel's way along one axis of an image: ``before`` are rows of padding."""

    kernel: int
    stride: int
    dilation: int
    before: int
    count: int

    @classmethod
    def of(cls, size: int, kernel: int, stride: int, dilation: int, same: bool) -> Axis:
        """As LiteRT pads and counts: with SAME there are ceil(size / stride) windows."""
        reach = (kernel - 1) * dilation + 1
        count = -(-size // stride) if same else (size - reach) // stride + 1
        missing = max((count - 1) * stride + reach - size, 0) if same else 0
        return cls(kernel, stride, dilation, missing // 2, count)

    def seen(self, windows: npt.NDArray[np.int64], size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """(windows, kernel): where each looks, and whether that is inside the image and no padding."""
        places = windows[:, None] * self.stride + np.arange(self.kernel) * self.dilation - self.before
        return places.clip(0, size - 1), (places >= 0) & (places < size)


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

    def some(self, image: Array, positions: npt.NDArray[np.int64], padding: float) -> Array:
        """(positions, kernel height, kernel width, channels): windows of the first image; ``padding`` stands for 0."""
        row, column = np.divmod(positions, self.columns.count)
        (rows, in_rows), (columns, in_columns) = (
            self.rows.seen(row, image.shape[1]),
            self.columns.seen(column, image.shape[2]),
        )
        found: Array = image[0, rows[:, :, None], columns[:, None, :]]
        inside = in_rows[:, :, None] & in_columns[:, None, :]
        if not inside.all():
            found[~inside] = padding
        return found
