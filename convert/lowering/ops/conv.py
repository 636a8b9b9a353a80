"""Conv and ConvTranspose, in one, two and three spatial dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim
from convert.layout.value import Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers
from convert.lowering.window import Window, covered, pad_spatial, window_of


@lowers("Conv")
def conv(call: Call) -> Value:
    """Cross-correlation with weights ``(out, in / group, *kernel)``, stored here as ``(*kernel, in / group, out)``."""
    sizes, kernel = call.value(0).sizes, _static_sizes(call, 1)
    spatial = sizes[2:]
    window = covered(window_of(call, kernel[2:], spatial), spatial)
    x = call.channels_last(0)
    padding = "VALID"
    if window.is_padded and window.is_same(spatial):
        padding = "SAME"
    elif window.is_padded:
        x = pad_spatial(x, window.pads)
    y = _convolve(call, x, window, padding, in_channels=sizes[1])
    return call.channels_last_result(_with_bias(call, y))


def _static_sizes(call: Call, index: int) -> tuple[int, ...]:
    sizes = [size for size in call.value(index).sizes if not isinstance(size, Dim)]
    if len(sizes) != call.value(index).rank:
        call.refuse("weights of dynamic size")
    return tuple(sizes)


def _convolve(call: Call, x: Tensor, window: Window, padding: str, in_channels: object) -> Tensor:
    group, rank = call.integer("group", 1), len(window.kernel)
    if rank == 1:
        return _convolve_1d(call, x, window, padding, depthwise=group > 1 and group == in_channels)
    if rank == 2 and _is_depthwise(call, group, in_channels) and len(set(window.strides)) == 1:
        return _depthwise(call, x, window, padding)
    filters = _filters(call)
    convolution = {2: tf.nn.conv2d, 3: tf.nn.conv3d}.get(rank)
    if convolution is None:
        call.refuse(f"{rank} spatial dimensions; 1, 2 and 3 are known")
    if rank == 3:
        return _convolve_3d(x, filters, window, padding, group)
    return convolution(x, filters, list(window.strides), padding, dilations=list(window.dilations))


def _is_depthwise(call: Call, group: int, in_channels: object) -> bool:
    return group > 1 and group == in_channels and call.value(1).is_constant


def _filters(call: Call) -> Tensor:
    """Weights as TensorFlow has them: ``(*kernel, in / group, out)``."""
    weights = call.constant(1)
    if weights is not None:
        return call.weight(1, weights.transpose(*range(2, weights.ndim), 1, 0))
    rank = call.value(1).rank
    return tf.transpose(call.tensor(1), [*range(2, rank), 1, 0])


def _depthwise(call: Call, x: Tensor, window: Window, padding: str) -> Tensor:
    """One filter or more for each channel: TensorFlow wants ``(*kernel, channel, multiplier)``."""
    weights = call.require_constant(1, "the weight of a depthwise convolution")
    group = call.integer("group", 1)
    out_channels, _, height, width = weights.shape
    grouped = weights.reshape(group, out_channels // group, height, width)
    filters = call.weight(1, grouped.transpose(2, 3, 0, 1))
    strides = [1, *window.strides, 1]
    if set(window.dilations) == {1}:
        return tf.nn.depthwise_conv2d(x, filters, strides, padding)
    # tf.nn.depthwise_conv2d would dilate by space-to-batch, which TFLite keeps as two more ops.
    wide = tf.reshape(filters, [height, width, 1, out_channels])
    return tf.nn.conv2d(x, wide, list(window.strides), padding, dilations=list(window.dilations))


def _convolve_1d(call: Call, x: Tensor, window: Window, padding: str, *, depthwise: bool) -> Tensor:
    """As a two-dimensional convolution of height 1: TFLite has no other."""
    flat = Window((1, *window.kernel), (1, *window.strides), (1, *window.dilations), ((0, 0), *window.pads))
    x = tf.expand_dims(x, 1)
    if depthwise and call.value(1).is_constant and window.strides == (1,) and window.dilations == (1,):
        weights = call.require_constant(1, "weight")
        filters = call.weight(1, weights.reshape(weights.shape[0], -1, 1, weights.shape[2]).transpose(2, 3, 0, 1))
        multiplier = weights.shape[0] // call.integer("group", 1)
        filters = tf.reshape(filters, [1, weights.shape[2], call.integer("group", 1), multiplier])
        return tf.squeeze(tf.nn.depthwise_conv2d(x, filters, [1, 1, 1, 1], padding), 1)
    filters = tf.expand_dims(_filters(call), 0)
    y = tf.nn.conv2d(x, filters, list(flat.strides), padding, dilations=list(flat.dilations))
    return tf.squeeze(y, 1)


def _convolve_3d(x: Tensor, filters: Tensor, window: Window, padding: str, group: int) -> Tensor:
    strides, dilations = [1, *window.strides, 1], [1, *window.dilations, 1]
    if group == 1:
        return tf.nn.conv3d(x, filters, strides, padding, dilations=dilations)
    pieces = zip(tf.split(x, group, axis=-1), tf.split(filters, group, axis=-1), strict=True)
    return tf.concat([tf.nn.conv3d(a, b, strides, padding, dilations=dilations) for a, b in pieces], axis=-1)


def _with_bias(call: Call, y: Tensor) -> Tensor:
    if not call.has(2):
        return y
    known = call.constant(2)
    bias = call.tensor(2) if known is None else call.weight(2, known)
    if call.integer("group", 1) > 1:
        return y + bias  # TensorFlow would fuse bias_add into a kernel that knows no groups, and fail when it runs
    return tf.nn.bias_add(y, bias)


@lowers("ConvTranspose")
def conv_transpose(call: Call) -> Value:
    """The gradient of a convolution: computed in full, then cropped by the pads."""
    weights = _static_sizes(call, 1)
    spatial = call.value(0).sizes[2:]
    window = window_of(call, weights[2:], (1,) * len(weights[2:]))
    rank = len(window.kernel)
    if rank > 3 or set(window.dilations) != {1}:
        call.refuse("a transposed convolution with dilation, or in more than three dimensions")
    if any(isinstance(size, Dim) for size in spatial):
        call.refuse("a transposed convolution of an input whose spatial size is dynamic")
    x = call.channels_last(0)
    crops, extra = _crops(call, window, [int(str(size)) for size in spatial])
    if rank == 1:
        window = Window((1, *window.kernel), (1, *window.strides), (1, 1), ((0, 0), *window.pads))
        x, crops, extra = tf.expand_dims(x, 1), ((0, 0), *crops), (0, *extra)
    y = _transpose_convolve(call, x, window)
    y = pad_spatial(y, tuple((0, count) for count in extra))
    y = _cropped(y, crops)
    return call.channels_last_result(_with_bias(call, tf.squeeze(y, 1) if rank == 1 else y))


def _crops(call: Call, window: Window, sizes: Sequence[int]) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    """What to cut off the full result before and after each axis, and what ``output_padding`` adds after it."""
    output_padding = call.integers("output_padding") or (0,) * len(sizes)
    output_shape = call.integers("output_shape")
    auto_pad = call.text("auto_pad", "NOTSET")
    crops, extra = [], []
    for axis, size in enumerate(sizes):
        full = (size - 1) * window.strides[axis] + window.extents[axis]
        before, after = window.pads[axis]
        wanted = output_shape[-len(sizes) :][axis] if output_shape else None
        if wanted is None and auto_pad.startswith("SAME"):
            wanted = size * window.strides[axis]
        if wanted is not None:
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


def _transpose_convolve(call: Call, x: Tensor, window: Window) -> Tensor:
    """The full result of a two- or three-dimensional transposed convolution, group by group."""
    weights = call.require_constant(1, "the weight of a transposed convolution")
    if weights.ndim == 3:
        weights = weights[:, :, np.newaxis, :]
    group = call.integer("group", 1)
    filters = call.weight(1, weights.transpose(*range(2, weights.ndim), 1, 0))
    batch = tf.shape(x)[0]
    full = [(int(size) - 1) * s + k for size, s, k in zip(x.shape[1:-1], window.strides, window.kernel, strict=True)]
    shape = tf.stack([batch, *full, weights.shape[1]])
    strides = [1, *window.strides, 1]
    convolve = tf.nn.conv2d_transpose if weights.ndim == 4 else tf.nn.conv3d_transpose
    if group == 1:
        return convolve(x, filters, shape, strides, "VALID")
    pieces = zip(tf.split(x, group, axis=-1), tf.split(filters, group, axis=-1), strict=True)
    return tf.concat([convolve(a, b, shape, strides, "VALID") for a, b in pieces], axis=-1)
