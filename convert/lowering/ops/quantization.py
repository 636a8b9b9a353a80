"""ONNX's quantization ops as the arithmetic that defines them, on tensors that stay integers outside."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from convert.layout.layout import Layout
from convert.layout.value import Array, Tensor, Value, constant
from convert.lowering.call import Call
from convert.lowering.ops.conv import conv
from convert.lowering.registry import lowers

_EXACT = 2**24
"""Whole numbers up to here are exact in float32."""
_INTEGERS = (tf.int8, tf.uint8, tf.int16, tf.uint16, tf.int32)


@lowers("QuantizeLinear")
def quantize_linear(call: Call) -> Value:
    """``saturate(round(x / scale) + zero point)``, rounding halves to even."""
    x = tf.cast(call.tensor(0), tf.float32)
    scale, zero_point = _per_axis(call, 1), _per_axis(call, 2)
    dtype = call.value(2).data.dtype if call.has(2) else call.dtype("output_dtype") if _names_type(call) else tf.uint8
    steps = tf.round(x / scale)
    return call.result(_saturated(call, steps if zero_point is None else steps + zero_point, tf.as_dtype(dtype)))


def _names_type(call: Call) -> bool:
    return call.integer("output_dtype", 0) != 0


@lowers("DequantizeLinear")
def dequantize_linear(call: Call) -> Value:
    """``(x - zero point) · scale``."""
    value = call.value(0)
    source = tf.as_dtype(value.data.dtype)
    if source not in _INTEGERS:
        call.refuse(f"elements of type {source.name}")
    x = tf.cast(call.tensor(0), tf.float32)
    zero_point = _per_axis(call, 2)
    y = (x if zero_point is None else x - zero_point) * _per_axis(call, 1)
    declared = call.output_dtype()
    return call.result(y if declared is None else tf.cast(y, declared))


def _per_axis(call: Call, index: int) -> Tensor | None:
    """A scale or zero point as float32, broadcast over the axis (or the blocks of it) that it is for."""
    if not call.has(index):
        return None
    given = tf.cast(call.tensor(index), tf.float32)
    x = call.value(0)
    if given.shape.num_elements() == 1:
        return tf.reshape(given, [])
    axis = call.integer("axis", 1) % x.rank
    block = call.integer("block_size", 0)
    if not block:
        return tf.reshape(given, [-1 if other == axis else 1 for other in range(x.rank)])
    size = x.sizes[axis]
    if not isinstance(size, int):
        call.refuse("blocks along an axis of dynamic size")
    return tf.gather(given, (np.arange(size) // block).astype(np.int32), axis=axis)


def _saturated(call: Call, steps: Tensor, dtype: tf.DType) -> Tensor:
    if dtype not in _INTEGERS:
        call.refuse(f"elements of type {dtype.name}")
    return tf.cast(tf.cast(tf.clip_by_value(steps, dtype.min, dtype.max), tf.int32), dtype)


@lowers("MatMulInteger")
def matmul_integer(call: Call) -> Value:
    """The product of integers less their zero points, as int32."""
    return call.result(_product(call, _centred(call, 0, 2, column=True), _centred(call, 1, 3, column=False)))


@lowers("QLinearMatMul")
def q_linear_matmul(call: Call) -> Value:
    """The product of what the integers stand for, quantized."""
    product = _product(call, _centred(call, 0, 2, column=True), _centred(call, 3, 5, column=False))
    scale = (
        tf.cast(call.tensor(1), tf.float32) * tf.cast(call.tensor(4), tf.float32) / tf.cast(call.tensor(6), tf.float32)
    )
    if scale.shape.num_elements() not in (1, None):
        call.refuse("a scale for each row or column")
    steps = tf.round(tf.cast(product, tf.float32) * tf.reshape(scale, []) + tf.cast(call.tensor(7), tf.float32))
    return call.result(_saturated(call, steps, tf.as_dtype(call.value(7).data.dtype)))


def _centred(call: Call, index: int, zero_point: int, *, column: bool) -> Tensor:
    """An integer tensor less its zero point, as float32; one zero point a row of the left or a column of the right."""
    x = tf.cast(call.tensor(index), tf.float32)
    if not call.has(zero_point):
        return x
    point = tf.cast(call.tensor(zero_point), tf.float32)
    many = column and point.shape.rank == 1 and point.shape[0] != 1
    return x - (point[:, None] if many else point)


def _product(call: Call, left: Tensor, right: Tensor) -> Tensor:
    """Sums of products of 9-bit integers, in pieces short enough to be exact in float32."""
    inner = left.shape[-1]
    if inner is None:
        call.refuse("matrices of dynamic size")
    longest = _EXACT // (255 * 255)
    pieces = [
        tf.cast(tf.matmul(left[..., start : start + longest], right[..., start : start + longest, :]), tf.int32)
        for start in range(0, inner, longest)
    ]
    return tf.add_n(pieces) if len(pieces) > 1 else pieces[0]


@lowers("ConvInteger")
def conv_integer(call: Call) -> Value:
    """The convolution of integers less their zero points, as int32; padding counts as the zero point."""
    y = _integer_convolution(call, (0, 2), (1, 3))
    return Value(tf.cast(y.data, tf.int32), y.layout, y.sizes)


@lowers("QLinearConv")
def q_linear_conv(call: Call) -> Value:
    """The convolution of what the integers stand for, quantized."""
    y = _integer_convolution(call, (0, 2), (3, 5))
    total = call.trace.tensor(y, Layout.channels_last(y.rank))
    if call.has(8):
        total = total + tf.cast(call.tensor(8), tf.float32)
    scale = (
        tf.cast(call.tensor(1), tf.float32) * tf.cast(call.tensor(4), tf.float32) / tf.cast(call.tensor(6), tf.float32)
    )
    scale = tf.reshape(scale, []) if scale.shape.num_elements() == 1 else scale
    steps = tf.round(total * scale + tf.cast(call.tensor(7), tf.float32))
    return call.channels_last_result(_saturated(call, steps, tf.as_dtype(call.value(7).data.dtype)))


def _integer_convolution(call: Call, x: tuple[int, int], weights: tuple[int, int]) -> Value:
    """In float32, where no sum can leave the integers that are exact in it; ``(input, zero point)`` for both."""
    w = call.require_constant(weights[0], "the weight").astype(np.float32)
    if call.has(weights[1]):
        w = w - _on_first_axis(call.require_constant(weights[1], "the weight's zero point").astype(np.float32), w.ndim)
    if 255 * np.abs(w).reshape(w.shape[0], -1).sum(axis=1).max() >= _EXACT:
        call.refuse("sums that float32 does not hold exactly")
    source = call.value(x[0])
    data = tf.cast(call.tensor(x[0], source.layout), tf.float32)
    if call.has(x[1]):
        data = data - tf.cast(tf.reshape(call.tensor(x[1]), []), tf.float32)
    operands = (Value(data, source.layout, source.sizes), constant(w))
    result = conv(Call(call.node, operands, call.trace, call.opset))
    assert isinstance(result, Value)
    return result


def _on_first_axis(points: Array, rank: int) -> Array:
    return points.reshape(-1, *[1] * (rank - 1)) if points.size > 1 else points.reshape(())
