"""Layers with weights as products of matrices: what enters them as rows, their weights as columns.

All three kinds have one form: groups of input channels, each with (inputs, outputs) weights of its own. A convolution
has as many groups as it has, a depthwise one has a group for each channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quantize.correction.unpacked import Weighted
from quantize.correction.windows import Windows
from verify.stepping.contents import Array

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Stored:
    """How an activation is stored: ``real = (stored - zero_point) * scale``."""

    scale: float = 1.0
    zero_point: int = 0

    def real(self, stored: Array) -> Floats:
        values: Floats = (stored.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)
        return values


def as_columns(op: Weighted, weights: Array) -> Array:
    """Weights as the file has them → (groups, inputs, outputs)."""
    if op.kind == "FULLY_CONNECTED":
        return weights.T[None]
    if op.kind == "DEPTHWISE_CONV_2D":
        return weights.reshape(-1, op.input_channels, weights.shape[-1] // op.input_channels).transpose(1, 0, 2)
    groups = op.input_channels // weights.shape[-1]
    inputs = int(np.prod(weights.shape[1:]))
    return weights.reshape(groups, -1, inputs).transpose(0, 2, 1)


def from_columns(op: Weighted, columns: Array, shape: tuple[int, ...]) -> Array:
    """The way back."""
    if op.kind == "FULLY_CONNECTED":
        return np.ascontiguousarray(columns[0].T)
    if op.kind == "DEPTHWISE_CONV_2D":
        return np.ascontiguousarray(columns.transpose(1, 0, 2)).reshape(shape)
    return np.ascontiguousarray(columns.transpose(0, 2, 1)).reshape(shape)


def some_rows(op: Weighted, weights: tuple[int, ...], inputs: Sequence[Array], stored: Stored, count: int) -> Floats:
    """(groups, at most ``count``, inputs): some of it, spread evenly over samples and places, in real units."""
    each = -(-count // len(inputs))
    if op.kind == "FULLY_CONNECTED":
        flat = [one.reshape(-1, weights[-1]) for one in inputs]
        return stored.real(np.concatenate([one[_spread(len(one), each)] for one in flat]))[None]
    found = []
    for image in inputs:
        windows = Windows.of(op.operator.builtinOptions, image, (weights[1], weights[2]))
        found.append(windows.some(image, _spread(windows.count, each), stored.zero_point))
    return _grouped(op, weights, stored.real(np.concatenate(found)))


_GOLDEN = 0.6180339887498949


def _spread(total: int, wanted: int) -> npt.NDArray[np.int64]:
    """``wanted`` of ``total`` places, in step with no row or column: multiples of the golden ratio, modulo 1."""
    if wanted >= total:
        return np.arange(total)
    return np.unique(((np.arange(wanted) * _GOLDEN) % 1.0 * total).astype(np.int64))


def _grouped(op: Weighted, weights: tuple[int, ...], windows: Floats) -> Floats:
    """(rows, height, width, channels) → (groups, rows, inputs)."""
    count, channels = len(windows), windows.shape[-1]
    each = 1 if op.kind == "DEPTHWISE_CONV_2D" else weights[-1]
    parts = windows.reshape(count, -1, channels // each, each)
    return parts.transpose(2, 0, 1, 3).reshape(channels // each, count, -1)
