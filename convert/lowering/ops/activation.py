"""Activations, written so that TFLite's compiler recognises its fused forms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from convert.layout.dims import product
from convert.layout.layout import Layout
from convert.layout.value import Tensor, Value
from convert.lowering.broadcast import unify
from convert.lowering.call import Call
from convert.lowering.registry import lowers

_MOST_AXES_OF_A_SOFTMAX = 5
"""TensorFlow's kernel takes no more."""


def _pointwise(call: Call, function: Callable[[Tensor], Tensor]) -> Value:
    layout = call.value(0).layout
    return call.result(function(call.tensor(0, layout)), layout)


@lowers("Relu")
def relu(call: Call) -> Value:
    """``max(x, 0)``."""
    return _pointwise(call, tf.nn.relu)


@lowers("Clip")
def clip(call: Call) -> Value:
    """To ``[min, max]``; the bounds are attributes before operator set 11, inputs since."""
    low, high = _bound(call, 1, "min"), _bound(call, 2, "max")
    if _is(low, 0) and _is(high, 6):
        return _pointwise(call, tf.nn.relu6)
    if _is(low, 0) and high is None:
        return _pointwise(call, tf.nn.relu)

    def clipped(x: Tensor) -> Tensor:
        x = x if low is None else tf.maximum(x, tf.cast(low, x.dtype))
        return x if high is None else tf.minimum(x, tf.cast(high, x.dtype))

    return _pointwise(call, clipped)


def _is(bound: float | int | Tensor | None, number: int) -> bool:
    return isinstance(bound, float | int) and bound == number


def _bound(call: Call, index: int, name: str) -> float | int | Tensor | None:
    if call.has(index):
        array = call.constant(index)
        return call.tensor(index) if array is None else array.item()
    attribute = call.node.attributes.get(name)
    return attribute.as_float() if attribute is not None else None


@lowers("Sigmoid")
def sigmoid(call: Call) -> Value:
    """The logistic function."""
    return _pointwise(call, tf.sigmoid)


@lowers("HardSigmoid")
def hard_sigmoid(call: Call) -> Value:
    """``clip(alpha·x + beta, 0, 1)``; torch's as ReLU6, which TFLite fuses into the addition."""
    alpha, beta = call.number("alpha", 0.2), call.number("beta", 0.5)
    if np.isclose(alpha, 1 / 6, rtol=1e-6) and beta == 0.5:
        return _pointwise(call, lambda x: tf.nn.relu6(x + 3.0) * (1 / 6))
    return _pointwise(call, lambda x: tf.minimum(tf.nn.relu(x * alpha + beta), 1.0))


@lowers("HardSwish")
def hard_swish(call: Call) -> Value:
    """``x · (ReLU6(x + 3) / 6)``: so bracketed, TFLite's compiler makes one op of it after dense layers too.

    After those without a bias only if a reshape stands between: the 3 becomes their bias otherwise, and the whole layer
    is computed twice (MobileNetV3 with its biases at zero, as they are initialised).
    """

    def swish(x: Tensor) -> Tensor:
        return x * (tf.nn.relu6(x + 3.0) * (1 / 6))

    layout, (value,) = call.value(0).layout, call.node.inputs[:1]
    if not _is_dense_without_bias(value):
        return _pointwise(call, swish)
    sizes = layout.physical(call.value(0).sizes)
    flat = call.trace.reshape(call.tensor(0, layout), (*sizes[:-1], 1, sizes[-1]))
    return call.result(call.trace.reshape(swish(flat), sizes), layout)


def _is_dense_without_bias(value: ir.Value | None) -> bool:
    node = None if value is None else value.producer()
    if node is None or node.op_type not in {"Gemm", "MatMul"}:
        return False
    return len([each for each in node.inputs if each is not None]) == 2


@lowers("LeakyRelu")
def leaky_relu(call: Call) -> Value:
    """``x`` above 0, ``alpha·x`` below."""
    alpha = call.number("alpha", 0.01)
    return _pointwise(call, lambda x: tf.nn.leaky_relu(x, alpha))


@lowers("PRelu")
def prelu(call: Call) -> Value:
    """``x`` above 0, ``slope·x`` below, in the form TFLite's compiler turns into one op."""
    (x, slope), layout = unify(call, (0, 1))
    if x.dtype.is_floating:
        slope = tf.convert_to_tensor(_without_batch(call, layout, slope))
        return call.result(tf.nn.relu(x) + (-slope) * tf.nn.relu(-x), layout)
    return call.result(tf.where(x < 0, x * slope, x), layout)


def _without_batch(call: Call, layout: Layout, slope: Tensor) -> Tensor:
    """Constant slopes with every axis but the batch, ones too: TFLite's compiler makes a PRELU of no others."""
    known = call.constant(1)
    if known is None or call.value(0).rank != layout.rank or known.ndim > layout.rank:
        return slope
    stored = layout.store(known.reshape((1,) * (layout.rank - known.ndim) + known.shape))
    return call.weight(1, stored[0]) if layout.rank > 1 and stored.shape[0] == 1 else slope


@lowers("Elu")
def elu(call: Call) -> Value:
    """``x`` above 0, ``alpha·(e^x - 1)`` below."""
    alpha = call.number("alpha", 1.0)
    if alpha == 1.0:
        return _pointwise(call, tf.nn.elu)
    return _pointwise(call, lambda x: tf.nn.relu(x) + alpha * tf.nn.elu(-tf.nn.relu(-x)))


@lowers("Celu")
def celu(call: Call) -> Value:
    """``max(0, x) + min(0, alpha·(e^(x / alpha) - 1))``."""
    alpha = call.number("alpha", 1.0)
    return _pointwise(call, lambda x: tf.nn.relu(x) + alpha * tf.nn.elu(-tf.nn.relu(-x) / alpha))


@lowers("Selu")
def selu(call: Call) -> Value:
    """``gamma·x`` above 0, ``gamma·alpha·(e^x - 1)`` below."""
    alpha, gamma = call.number("alpha", 1.6732632423543772), call.number("gamma", 1.0507009873554805)
    return _pointwise(call, lambda x: gamma * tf.nn.relu(x) + gamma * alpha * tf.nn.elu(-tf.nn.relu(-x)))


@lowers("Gelu")
def gelu(call: Call) -> Value:
    """``x·Φ(x)``, exactly or by tanh as the node says."""
    approximate = call.text("approximate", "none") == "tanh"
    return _pointwise(call, lambda x: tf.nn.gelu(x, approximate=approximate))


@lowers("Softplus")
def softplus(call: Call) -> Value:
    """``log(1 + e^x)``, without overflow."""
    return _pointwise(call, _softplus)


def _softplus(x: Tensor) -> Tensor:
    return tf.nn.relu(x) + tf.math.log(1.0 + tf.exp(-tf.abs(x)))


@lowers("Mish")
def mish(call: Call) -> Value:
    """``x·tanh(softplus(x))``."""
    return _pointwise(call, lambda x: x * tf.tanh(_softplus(x)))


@lowers("Softsign")
def softsign(call: Call) -> Value:
    """``x / (1 + |x|)``."""
    return _pointwise(call, lambda x: x / (1.0 + tf.abs(x)))


@lowers("ThresholdedRelu")
def thresholded_relu(call: Call) -> Value:
    """``x`` above alpha, 0 below."""
    alpha = call.number("alpha", 1.0)
    return _pointwise(call, lambda x: x * tf.cast(x > alpha, x.dtype))


@lowers("Shrink")
def shrink(call: Call) -> Value:
    """``x`` moved towards 0 by ``bias``, and 0 within ``lambd`` of it."""
    bias, lambd = call.number("bias", 0.0), call.number("lambd", 0.5)

    def shrunk(x: Tensor) -> Tensor:
        low, high = tf.cast(x < -lambd, x.dtype), tf.cast(x > lambd, x.dtype)
        return (x + tf.cast(bias, x.dtype)) * low + (x - tf.cast(bias, x.dtype)) * high

    return _pointwise(call, shrunk)


@lowers("Softmax", since=13)
def softmax(call: Call) -> Value:
    """Over one axis, the last by default."""
    return _over_axis(call, tf.nn.softmax)


@lowers("LogSoftmax", since=13)
def log_softmax(call: Call) -> Value:
    """Over one axis, the last by default."""
    return _over_axis(call, tf.nn.log_softmax)


@lowers("Softmax", since=1)
def flattened_softmax(call: Call) -> Value:
    """Before operator set 13: over all axes from ``axis`` (1 by default) on, taken together."""
    return _over_trailing_axes(call, tf.nn.softmax)


@lowers("LogSoftmax", since=1)
def flattened_log_softmax(call: Call) -> Value:
    """Before operator set 13: over all axes from ``axis`` (1 by default) on, taken together."""
    return _over_trailing_axes(call, tf.nn.log_softmax)


def _over_axis(call: Call, function: Callable[..., Tensor]) -> Value:
    value = call.value(0)
    axis = call.integer("axis", -1) % value.rank
    unfolded = call.unfolded(0, [axis])
    if value.rank > _MOST_AXES_OF_A_SOFTMAX:
        return _over_rows(call, function, unfolded, axis)
    return call.result(function(unfolded.data, axis=unfolded.layout.physical_axis(axis)), unfolded.layout)


def _over_rows(call: Call, function: Callable[..., Tensor], value: Value, axis: int) -> Value:
    """All other axes as one."""
    layout = value.layout.unfolded()
    layout = Layout((*(other for other in layout.order if other != axis), axis))
    sizes = layout.physical(value.sizes)
    rows = call.trace.reshape(call.tensor(0, layout), (product(sizes[:-1]), sizes[-1]))
    return Value(call.trace.reshape(function(rows), sizes), layout, value.sizes)


def _over_trailing_axes(call: Call, function: Callable[..., Tensor]) -> Value:
    value = call.value(0)
    axis = call.integer("axis", 1) % max(value.rank, 1)
    if all(size == 1 for size in value.sizes[axis + 1 :]):
        unfolded = call.unfolded(0, [axis])
        return call.result(function(unfolded.data, axis=unfolded.layout.physical_axis(axis)), unfolded.layout)
    x = call.tensor(0)
    lead = tf.reduce_prod(tf.shape(x)[:axis])
    return call.result(tf.reshape(function(tf.reshape(x, tf.stack([lead, -1]))), tf.shape(x)))
