"""ConvTranspose, in one, two and three spatial dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim, Size
from convert.layout.value import Array, Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers
from convert.lowering.window import Window, pad_spatial, window_of


@lowers("ConvTranspose")
def conv_transpose(call: Call) -> Value:
    """The gradient of a convolution: computed in full, then cropped by the pads."""
    weights = _weights(call)
    spatial = call.value(0).sizes[2:]
    window = replace(window_of(call, weights.shape[2:], (1,) * len(spatial)), dilations=(1,) * len(spatial))
    rank = len(window.kernel)
    if rank > 3:
        call.refuse("a transposed convolution in more than three dimensions")
    x = call.channels_last(0)
    crops, extra = _crops(call, window, spatial)
    full = [_full(size, window, axis) for axis, size in enumerate(spatial)]
    if rank == 1:
        window = Window((1, *window.kernel), (1, *window.strides), (1, 1), ((0, 0), *window.pads))
        x, crops, extra, full = tf.expand_dims(x, 1), ((0, 0), *crops), (0, *extra), [1, *full]
    y = _transpose_convolve(call, x, weights, window, full)
    y = pad_spatial(y, tuple((0, count) for count in extra))
    y = _cropped(y, crops)
    return call.channels_last_result(_with_bias(call, tf.squeeze(y, 1) if rank == 1 else y))


def _full(size: Size, window: Window, axis: int) -> Size:
    """How long an axis comes out before it is cropped: a plain multiple where stride and window are alike."""
    return size * window.strides[axis] + (window.extents[axis] - window.strides[axis])


def _crops(call: Call, window: Window, sizes: Sequence[Size]) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    """What to cut off the full result before and after each axis, and what ``output_padding`` adds after it."""
    output_padding = call.integers("output_padding") or (0,) * len(sizes)
    output_shape = call.integers("output_shape")
    auto_pad = call.text("auto_pad", "NOTSET")
    crops, extra = [], []
    for axis, size in enumerate(sizes):
        before, after = window.pads[axis]
        wanted = output_shape[-len(sizes) :][axis] if output_shape else None
        if (wanted is not None or auto_pad.startswith("SAME")) and isinstance(size, Dim):
            call.refuse("output_shape or auto_pad with an input whose spatial size is dynamic")
        full = _full(size, window, axis)
        if wanted is None and auto_pad.startswith("SAME"):
            wanted = int(str(size)) * window.strides[axis]
        if wanted is not None:
            full = int(str(full))
            total = max(full - wanted, 0)
            before = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
            after = full - wanted - before
        else:
            after -= output_padding[axis]
        crops.append((before, max(after, 0)))
        extra.append(max(-after, 0))
    return tuple(crops), tuple(extra)


def _cropped(y: Tensor, crops: Sequence[tuple[int, int]]) -> Tensor:
    if not any(before or after for before, after in crops):
        return y
    spatial = [slice(before, -after if after else None) for before, after in crops]
    return y[(slice(None), *spatial, slice(None))]


def _weights(call: Call) -> Array:
    """``(in, out / group, *kernel)``; a dilated kernel is one with zeros between its elements."""
    weights = call.require_constant(1, "the weight of a transposed convolution")
    dilations = call.integers("dilations") or ()
    if set(dilations) <= {1}:
        return weights
    spread = [(size - 1) * dilation + 1 for size, dilation in zip(weights.shape[2:], dilations, strict=True)]
    dilated = np.zeros((*weights.shape[:2], *spread), weights.dtype)
    dilated[(slice(None), slice(None), *(slice(None, None, dilation) for dilation in dilations))] = weights
    return dilated


def _transpose_convolve(call: Call, x: Tensor, weights: Array, window: Window, full: Sequence[Size]) -> Tensor:
    """The full result of a two- or three-dimensional transposed convolution, group by group."""
    if weights.ndim == 3:
        weights = weights[:, :, np.newaxis, :]
    group = call.integer("group", 1)
    filters = call.weight(1, weights.transpose(*range(2, weights.ndim), 1, 0))
    batch = call.value(0).sizes[0]  # read once for all layers, where it has a name
    sizes = [batch if call.trace.knows(batch) else tf.shape(x)[0], *full, weights.shape[1]]
    shape = tf.stack([call.trace.scalar(size) for size in sizes])
    strides = [1, *window.strides, 1]
    convolve = tf.nn.conv2d_transpose if weights.ndim == 4 else tf.nn.conv3d_transpose
    if group == 1:
        return convolve(x, filters, shape, strides, "VALID")
    pieces = zip(tf.split(x, group, axis=-1), tf.split(filters, group, axis=-1), strict=True)
    return tf.concat([convolve(a, b, shape, strides, "VALID") for a, b in pieces], axis=-1)


def _with_bias(call: Call, y: Tensor) -> Tensor:
    if not call.has(2):
        return y
    bias = call.constant(2)
    return tf.nn.bias_add(y, call.tensor(2) if bias is None else call.weight(2, bias))
