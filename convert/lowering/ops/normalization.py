"""Normalisations at inference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim
from convert.layout.layout import Layout
from convert.layout.value import Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers


@lowers("BatchNormalization")
def batch_normalization(call: Call) -> Value:
    """With fixed statistics: one multiplication and one addition a channel, which a convolution before it absorbs."""
    if call.integer("training_mode", 0):
        call.refuse("training mode; export the model in evaluation mode (model.eval())")
    x = call.channels_last(0)
    epsilon = call.number("epsilon", 1e-5)
    known = [array.astype(np.float64) for i in range(1, 5) if (array := call.constant(i)) is not None]
    if len(known) < 4:
        gamma, beta, mean, variance = (call.tensor(index) for index in range(1, 5))
        return call.channels_last_result((x - mean) * (gamma * tf.math.rsqrt(variance + epsilon)) + beta)
    gamma, beta, mean, variance = known
    scale = gamma / np.sqrt(variance + epsilon)
    offset = beta - mean * scale
    dtype = x.dtype.as_numpy_dtype
    return call.channels_last_result(x * call.weight(1, scale.astype(dtype)) + call.weight(2, offset.astype(dtype)))


@lowers("LayerNormalization")
def layer_normalization(call: Call) -> Value | tuple[Value, ...]:
    """Over the trailing axes, in the stored order if those are stored last."""
    if len(call.node.outputs) > 1:
        return _layer_normalization_with_statistics(call)
    value = call.value(0)
    first = call.integer("axis", -1) % value.rank
    axes = range(first, value.rank)
    layout = value.layout
    if layout.folds or layout.order[first:] != tuple(axes):
        layout = Layout.identity(value.rank)
    y = _normalised(call.tensor(0, layout), axes, call.number("epsilon", 1e-5))
    y = y * _parameter(call, 1)
    return call.result(y + _parameter(call, 2) if call.has(2) else y, layout)


def _layer_normalization_with_statistics(call: Call) -> tuple[Value, ...]:
    """Also the mean and the inverse standard deviation, which some exporters list and nobody uses."""
    x = call.tensor(0)
    axes = range(call.integer("axis", -1) % x.shape.rank, x.shape.rank)
    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), axes, keepdims=True)
    inverse = tf.math.rsqrt(variance + call.number("epsilon", 1e-5))
    y = (x - mean) * inverse * _parameter(call, 1)
    y = y + _parameter(call, 2) if call.has(2) else y
    return call.result(y), call.result(mean), call.result(inverse)


@lowers("RMSNormalization")
def rms_normalization(call: Call) -> Value:
    """Over the trailing axes, without taking off the mean."""
    x = call.tensor(0)
    axes = range(call.integer("axis", -1) % x.shape.rank, x.shape.rank)
    power = tf.reduce_mean(tf.square(x), axes, keepdims=True)
    return call.result(x * tf.math.rsqrt(power + call.number("epsilon", 1e-5)) * _parameter(call, 1))


def _parameter(call: Call, index: int) -> Tensor:
    array = call.constant(index)
    return call.tensor(index) if array is None else call.weight(index, array)


def _normalised(x: Tensor, axes: Sequence[int], epsilon: float) -> Tensor:
    mean = tf.reduce_mean(x, axes, keepdims=True)
    centred = x - mean
    variance = tf.reduce_mean(tf.square(centred), axes, keepdims=True)
    return centred * tf.math.rsqrt(variance + epsilon)


@lowers("InstanceNormalization")
def instance_normalization(call: Call) -> Value:
    """Each channel of each sample over its spatial axes."""
    x = call.channels_last(0)
    y = _normalised(x, range(1, x.shape.rank - 1), call.number("epsilon", 1e-5))
    y = y if call.is_constant(1, 1.0) else y * _parameter(call, 1)
    return call.channels_last_result(y if call.is_constant(2, 0.0) else y + _parameter(call, 2))


@lowers("GroupNormalization", since=18)
def group_normalization_per_group(call: Call) -> Value:
    """Before operator set 21 scale and bias had one entry a group."""
    return _group_normalization(call, per_group=True)


@lowers("GroupNormalization", since=21)
def group_normalization(call: Call) -> Value:
    """Each group of channels of each sample over its channels and spatial axes; scale and bias a channel."""
    return _group_normalization(call, per_group=False)


def _group_normalization(call: Call, *, per_group: bool) -> Value:
    """The image stays as it is: its channels' means are averaged by group, which also sums less at once.

    LiteRT's MEAN adds one element after the other; over a whole image of PoolFormer that left 76 dB.
    """
    x = call.channels_last(0)
    channels, groups = call.value(0).sizes[1], call.integer("num_groups", 1)
    if isinstance(channels, Dim):
        call.refuse("a dynamic number of channels")
    centred = x - _group_means(x, groups)
    variance = _group_means(tf.square(centred), groups)
    y = centred * tf.math.rsqrt(variance + call.number("epsilon", 1e-5))
    repeats = channels // groups if per_group else 1
    if not call.is_constant(1, 1.0):
        y = y * _per_channel(call, 1, repeats)
    return call.channels_last_result(y if call.is_constant(2, 0.0) else y + _per_channel(call, 2, repeats))


def _group_means(x: Tensor, groups: int) -> Tensor:
    """A mean of each group of a channels-last tensor, as it broadcasts with it."""
    rank, channels = x.shape.rank, x.shape[-1]
    means = tf.reduce_mean(x, range(1, rank - 1), keepdims=True) if rank > 2 else x
    if groups == 1:
        return tf.reduce_mean(means, -1, keepdims=True)
    if groups == channels:
        return means
    grouped = tf.reduce_mean(tf.reshape(means, [-1, groups, channels // groups]), -1, keepdims=True)
    spread = grouped * tf.ones([1, 1, channels // groups], x.dtype)
    return tf.reshape(spread, [-1, *[1] * (rank - 2), channels])


def _per_channel(call: Call, index: int, repeats: int) -> Tensor:
    array = call.constant(index)
    if array is not None:
        return call.weight(index, np.repeat(array, repeats))
    return call.tensor(index) if repeats == 1 else tf.repeat(call.tensor(index), repeats)


@lowers("LRN")
def lrn(call: Call) -> Value:
    """Local response normalisation over neighbouring channels."""
    size, alpha = call.integer("size", 1), call.number("alpha", 1e-4)
    beta, bias = call.number("beta", 0.75), call.number("bias", 1.0)
    x = call.channels_last(0)
    if size % 2 and x.shape.rank == 4:
        return call.channels_last_result(tf.nn.lrn(x, (size - 1) // 2, bias, alpha / size, beta))
    paddings = [[0, 0]] * (x.shape.rank - 1) + [[(size - 1) // 2, size // 2]]
    squares = tf.pad(tf.square(x), paddings)
    channels = x.shape[-1]
    total = tf.add_n([squares[..., start : start + channels] for start in range(size)])
    return call.channels_last_result(x / tf.pow(bias + alpha / size * total, beta))


@lowers("LpNormalization")
def lp_normalization(call: Call) -> Value:
    """Divided by the L1 or L2 norm along an axis."""
    axis = call.integer("axis", -1)
    value = call.unfolded(0, [axis])
    x, physical = value.data, value.layout.physical_axis(axis)
    if call.integer("p", 2) == 1:
        norm = tf.reduce_sum(tf.abs(x), physical, keepdims=True)
    else:
        norm = tf.sqrt(tf.reduce_sum(tf.square(x), physical, keepdims=True))
    return call.result(x / norm, value.layout)


@lowers("MeanVarianceNormalization")
def mean_variance_normalization(call: Call) -> Value:
    """Over the given axes, batch and spatial ones by default."""
    axes = call.integers("axes") or (0, 2, 3)
    value = call.unfolded(0, axes)
    physical = [value.layout.physical_axis(axis) for axis in axes]
    centred = value.data - tf.reduce_mean(value.data, physical, keepdims=True)
    deviation = tf.sqrt(tf.reduce_mean(tf.square(centred), physical, keepdims=True))
    return call.result(centred / (deviation + 1e-9), value.layout)
