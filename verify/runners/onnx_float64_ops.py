"""Ops that ONNX's reference implementation does in Python loops, done tap by tap in numpy; for its ``new_ops``."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx.reference.op_run import OpRun
from onnx.reference.ops.op_resize import Resize as ReferenceResize

Floats = npt.NDArray[np.float64]
Ints = Sequence[int]

MOST_INTERPOLATED = 30_000
"""Entries of the matrix of one axis, at about 20 microseconds each."""


class Conv(OpRun):  # type: ignore[misc]  # onnx is not typed
    """Any rank and any groups: one matrix product a tap of the kernel."""

    op_domain = ""

    def _run(self, x: Floats, weight: Floats, bias: Floats | None = None, **attributes: Any) -> tuple[Floats]:
        groups, kernel = attributes["group"] or 1, weight.shape[2:]
        window = Window(kernel, attributes)
        padded, sizes = window.padded(x, 0.0)
        batch, channels, made = len(x), weight.shape[1], weight.shape[0] // groups
        total = np.zeros((batch, groups, made, math.prod(sizes)))
        split = weight.reshape(groups, made, channels, *kernel)
        for tap, values in window.taps(padded, sizes):
            columns = values.reshape(batch, groups, channels, -1)
            place: tuple[Any, ...] = (..., *tap)
            factor = np.ascontiguousarray(split[place])  # numpy multiplies anything else without BLAS
            total += factor * columns if channels == made == 1 else factor @ columns
        result = total.reshape(batch, -1, *sizes)
        return (result if bias is None else result + bias.reshape(-1, *([1] * len(sizes))),)


class MaxPool(OpRun):  # type: ignore[misc]
    """Values only; a graph that asks for their indices is not run."""

    op_domain = ""

    def _run(self, x: Floats, **attributes: Any) -> tuple[Floats]:
        if len(self.output) > 1:
            raise NotImplementedError("indices of a MaxPool")
        window = Window(attributes["kernel_shape"], attributes)
        padded, sizes = window.padded(x, -np.inf)
        result = np.full((*x.shape[:2], *sizes), -np.inf)
        for _, values in window.taps(padded, sizes):
            np.maximum(result, values, out=result)
        return (result.astype(x.dtype),)


class AveragePool(OpRun):  # type: ignore[misc]
    """Means over what is in the window, of the padding only what is to count."""

    op_domain = ""

    def _run(self, x: Floats, **attributes: Any) -> tuple[Floats]:
        window = Window(attributes["kernel_shape"], attributes)
        padded, sizes = window.padded(x, 0.0)
        counted, _ = window.padded(
            np.ones((1, 1, *x.shape[2:])), float(bool(attributes["count_include_pad"])), beyond=0.0
        )
        total, count = np.zeros((*x.shape[:2], *sizes)), np.zeros((1, 1, *sizes))
        for (_, values), (_, ones) in zip(window.taps(padded, sizes), window.taps(counted, sizes), strict=True):
            total += values
            count += ones
        return (total / count,)


class LRN(OpRun):  # type: ignore[misc]
    """Over all channels: the reference implementation (onnx 1.19.1) stops at as many as the batch has samples."""

    op_domain = ""

    def _run(self, x: Floats, **attributes: Any) -> tuple[Floats]:
        size, channels = attributes["size"], x.shape[1]
        before, after = (size - 1) // 2, size // 2
        padding = [(0, 0), (before, after), *([(0, 0)] * (x.ndim - 2))]
        squares = np.pad(x**2, padding)
        total = sum(squares[:, at : at + channels] for at in range(size))
        return (x / (attributes["bias"] + attributes["alpha"] / size * total) ** attributes["beta"],)


class Sigmoid(OpRun):  # type: ignore[misc]
    """Of all values at once."""

    op_domain = ""

    def _run(self, x: Floats) -> tuple[Floats]:
        small = np.exp(-np.abs(x))
        return (np.where(x < 0, small, 1.0) / (1 + small),)


class Resize(ReferenceResize):  # type: ignore[misc]
    """Axis by axis: what the reference does to each unit vector of an axis makes the matrix of that axis."""

    op_domain = ""

    def _run(self, x: Floats, *parameters: Any, **attributes: Any) -> tuple[Floats]:
        scales, sizes = (*parameters, None, None, None)[1:3]
        policy, mode = attributes.get("keep_aspect_ratio_policy"), attributes["coordinate_transformation_mode"]
        if policy not in {None, "stretch"} or mode == "tf_crop_and_resize":
            raise NotImplementedError(f"a Resize by {policy} with {mode}")
        axes = attributes.pop("axes", None)
        asked = scales if sizes is None else sizes
        if asked is None:
            raise NotImplementedError("a Resize to no size")
        result = x
        for axis, amount in zip(axes if axes is not None else range(x.ndim), asked, strict=True):
            size = int(x.shape[axis])
            if amount == (1.0 if sizes is None else size):
                continue
            made = int(size * amount) if sizes is None else int(amount)
            if size * made > MOST_INTERPOLATED:
                raise NotImplementedError(f"a Resize from {size} to {made} values")
            to = {"scales": np.array([amount])} if sizes is None else {"sizes": [made]}
            matrix = [super(Resize, self)._run(unit, None, **to, **attributes)[0] for unit in np.eye(size)]
            result = np.moveaxis(np.moveaxis(result, axis, -1) @ np.stack(matrix), -1, axis)
        return (result,)


class Window:
    """A sliding window: how an op's attributes pad its input, and the strided view that each tap of it sees."""

    def __init__(self, kernel: Ints, attributes: Mapping[str, Any]) -> None:
        ones = [1] * len(kernel)
        self.kernel = kernel
        self.strides: Ints = attributes["strides"] or ones
        self.dilations: Ints = attributes.get("dilations") or ones
        self._pads: Ints = attributes["pads"] or [0] * (2 * len(kernel))
        self._auto_pad: str = attributes["auto_pad"] or "NOTSET"
        self._ceil_mode = bool(attributes.get("ceil_mode"))

    def padded(self, x: Floats, fill: float, *, beyond: float | None = None) -> tuple[Floats, tuple[int, ...]]:
        """The input with its padding, and the sizes of the output; ``beyond`` fills what only ``ceil_mode`` reaches."""
        axes = [self._axis(axis, size) for axis, size in enumerate(x.shape[2:])]
        asked = [(0, 0), (0, 0), *((low, high) for low, high, _, _ in axes)]
        more = [(0, 0), (0, 0), *((0, extra) for _, _, extra, _ in axes)]
        result = np.pad(x, asked, constant_values=fill)
        result = np.pad(result, more, constant_values=fill if beyond is None else beyond)
        return result, tuple(size for *_, size in axes)

    def taps(self, padded: Floats, sizes: Ints) -> Iterator[tuple[tuple[int, ...], Floats]]:
        """Each place of the kernel, and (batch, channels, …) of what it meets."""
        for tap in itertools.product(*(range(size) for size in self.kernel)):
            starts = [at * dilation for at, dilation in zip(tap, self.dilations, strict=True)]
            slices = [
                slice(start, start + (size - 1) * stride + 1, stride)
                for start, size, stride in zip(starts, sizes, self.strides, strict=True)
            ]
            yield tap, padded[(slice(None), slice(None), *slices)]

    def _axis(self, axis: int, size: int) -> tuple[int, int, int, int]:
        """Padding before and after, more after that, and the size of the output."""
        stride, reach = self.strides[axis], (self.kernel[axis] - 1) * self.dilations[axis] + 1
        if self._auto_pad in {"SAME_UPPER", "SAME_LOWER"}:
            made = -(-size // stride)
            total = max(0, (made - 1) * stride + reach - size)
            low = total // 2 if self._auto_pad == "SAME_UPPER" else total - total // 2
            return low, total - low, 0, made
        low, high = (0, 0) if self._auto_pad == "VALID" else (self._pads[axis], self._pads[axis + len(self.kernel)])
        room = size + low + high - reach
        made = (-(-room // stride) if self._ceil_mode else room // stride) + 1
        if self._ceil_mode and (made - 1) * stride >= size + low:
            made -= 1
        return low, high, max(0, (made - 1) * stride + reach - size - low - high), made


FAST_OPS: tuple[Any, ...] = (Conv, MaxPool, AveragePool, LRN, Resize, Sigmoid)
