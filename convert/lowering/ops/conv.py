"""Conv, in one, two and three spatial dimensions."""

from __future__ import annotations

from functools import reduce

import tensorflow as tf

from convert.layout.dims import Dim
from convert.layout.layout import Fold, Layout, reorder_fold
from convert.layout.value import Array, Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers
from convert.lowering.window import Window, covered, pad_spatial, window_of


@lowers("Conv")
def conv(call: Call) -> Value:
    """Cross-correlation with weights ``(out, in / group, *kernel)``, stored here as ``(*kernel, in / group, out)``."""
    sizes, kernel = call.value(0).sizes, _static_sizes(call, 1)
    spatial = sizes[2:]
    window = covered(window_of(call, kernel[2:], spatial), spatial)
    layout = _input_layout(call)
    x = call.tensor(0, layout)
    padding = "VALID"
    if window.is_padded and window.is_same(spatial):
        padding = "SAME"
    elif window.is_padded:
        x = pad_spatial(x, window.pads)
    if _is_depthwise(call) and len(window.kernel) == 2:
        weights = _in_stored_order(call, call.require_constant(1, "the weight of a depthwise convolution"))
        return call.result(_with_bias(call, _depthwise(call, x, weights, window, padding), layout), layout)
    if _is_depthwise(call) and len(window.kernel) == 3 and not any(isinstance(size, Dim) for size in spatial):
        return call.channels_last_result(_with_bias(call, _depthwise_3d(call, window), layout))
    filters = _filters(call, layout.fold_of(1))
    y = _convolve(call, x, filters, window, padding)
    return call.channels_last_result(_with_bias(call, y, layout.unfolded()))


def _input_layout(call: Call) -> Layout:
    """Channels-last; with the channels in the order in which they are stored, where constant weights can follow that.

    A channel shuffle then costs nothing on its way into a convolution.
    """
    layout, plain = call.value(0).layout, Layout.channels_last(call.value(0).rank)
    follows = call.constant(1) is not None and (call.integer("group", 1) == 1 or _keeps_channels(call))
    only_channels = all(fold.axis == 1 for fold in layout.folds)
    return layout if follows and only_channels and layout.unfolded() == plain else plain


def _keeps_channels(call: Call) -> bool:
    """Whether each channel is filtered on its own and none is added: they come out in the order they went in."""
    known_bias = not call.has(2) or call.constant(2) is not None
    one_each = call.value(1).sizes[0] == call.integer("group", 1)
    return known_bias and one_each and _is_depthwise(call) and call.value(0).rank == 4


def _static_sizes(call: Call, index: int) -> tuple[int, ...]:
    sizes = [size for size in call.value(index).sizes if not isinstance(size, Dim)]
    if len(sizes) != call.value(index).rank:
        call.refuse("weights of dynamic size")
    return tuple(sizes)


def _is_depthwise(call: Call) -> bool:
    group = call.integer("group", 1)
    return group > 1 and group == call.value(0).sizes[1] and call.value(1).is_constant


def _filters(call: Call, fold: Fold | None = None) -> Tensor:
    """Weights as TensorFlow has them: ``(*kernel, in / group, out)``, the inputs in stored order."""
    weights = call.constant(1)
    rank = call.value(1).rank
    if weights is None:
        return tf.transpose(call.tensor(1), [*range(2, rank), 1, 0])
    if fold is not None:
        weights = reorder_fold(weights, fold)
    return call.weight(1, weights.transpose(*range(2, rank), 1, 0))


def _convolve(call: Call, x: Tensor, filters: Tensor, window: Window, padding: str) -> Tensor:
    rank = len(window.kernel)
    if rank == 1:
        return _convolve_1d(x, filters, window, padding)
    if rank == 2:
        return tf.nn.conv2d(x, filters, list(window.strides), padding, dilations=list(window.dilations))
    if rank != 3:
        call.refuse(f"{rank} spatial dimensions; 1, 2 and 3 are known")
    return _convolve_3d(x, filters, window, padding, call.integer("group", 1))


def _depthwise(call: Call, x: Tensor, weights: Array, window: Window, padding: str) -> Tensor:
    """One filter or more for each channel: TensorFlow wants ``(*kernel, channel, multiplier)``."""
    group = call.integer("group", 1)
    out_channels, _, height, width = weights.shape
    strides = [1, *window.strides, 1]
    if set(window.dilations) == {1} and len(set(window.strides)) == 1:
        grouped = weights.reshape(group, out_channels // group, height, width)
        return tf.nn.depthwise_conv2d(x, call.weight(1, grouped.transpose(2, 3, 0, 1)), strides, padding)
    # tf.nn.depthwise_conv2d takes one stride, and dilates by space-to-batch, which TFLite keeps as two more ops.
    filters = call.weight(1, weights.transpose(2, 3, 1, 0))
    return tf.nn.conv2d(x, filters, list(window.strides), padding, dilations=list(window.dilations))


def _depthwise_3d(call: Call, window: Window) -> Tensor:
    """The sum over the kernel's depth of two-dimensional depthwise convolutions: TFLite knows no groups in three."""
    x = call.channels_last(0)
    weights = call.require_constant(1, "the weight of a depthwise convolution")
    before, after = window.pads[0]
    x = tf.pad(x, [[0, 0], [before, after], [0, 0], [0, 0], [0, 0]]) if before or after else x
    plane = Window(window.kernel[1:], window.strides[1:], window.dilations[1:], window.pads[1:])
    same = plane.is_padded and plane.is_same(call.value(0).sizes[3:])
    x = x if same else pad_spatial(x, ((0, 0), *plane.pads))
    _, depth, height, width, channels = x.shape
    count = (depth - window.extents[0]) // window.strides[0] + 1
    parts = []
    for tap in range(window.kernel[0]):
        first = tap * window.dilations[0]
        planes = x[:, first : first + (count - 1) * window.strides[0] + 1 : window.strides[0]]
        planes = tf.reshape(planes, [-1, height, width, channels])
        parts.append(_depthwise(call, planes, weights[:, :, tap], plane, "SAME" if same else "VALID"))
    total = reduce(lambda left, right: left + right, parts)
    return tf.reshape(total, [-1, count, *total.shape[1:]])


def _in_stored_order(call: Call, array: Array) -> Array:
    """Per-channel numbers (channels first) in the order in which the input's channels are stored."""
    fold = _input_layout(call).fold_of(1)
    return array if fold is None else reorder_fold(array, Fold(0, fold.sizes, fold.order))


def _convolve_1d(x: Tensor, filters: Tensor, window: Window, padding: str) -> Tensor:
    """As a two-dimensional convolution of height 1: TFLite has no other."""
    y = tf.nn.conv2d(
        tf.expand_dims(x, 1),
        tf.expand_dims(filters, 0),
        [1, *window.strides],
        padding,
        dilations=[1, *window.dilations],
    )
    return tf.squeeze(y, 1)


def _convolve_3d(x: Tensor, filters: Tensor, window: Window, padding: str, group: int) -> Tensor:
    strides, dilations = [1, *window.strides, 1], [1, *window.dilations, 1]
    if group == 1:
        return tf.nn.conv3d(x, filters, strides, padding, dilations=dilations)
    pieces = zip(tf.split(x, group, axis=-1), tf.split(filters, group, axis=-1), strict=True)
    return tf.concat([tf.nn.conv3d(a, b, strides, padding, dilations=dilations) for a, b in pieces], axis=-1)


def _with_bias(call: Call, y: Tensor, layout: Layout) -> Tensor:
    if not call.has(2):
        return y
    known = call.constant(2)
    if known is not None and layout.folds:
        known = _in_stored_order(call, known)
    bias = call.tensor(2) if known is None else call.weight(2, known)
    if call.integer("group", 1) > 1:
        return y + bias  # TensorFlow would fuse bias_add into a kernel that knows no groups, and fail when it runs
    return tf.nn.bias_add(y, bias)
