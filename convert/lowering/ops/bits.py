"""Bitwise ops. TFLite has kernels for exclusive or and for shifting right; the others follow by arithmetic on int32.

Shorter types arrive here as int32 and 32-bit unsigned ones as int64 (``kernel_types``). 64 bits keep TensorFlow's own
ops, which TFLite's compiler refuses.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from convert.layout.layout import Layout
from convert.layout.value import Tensor, Value
from convert.lowering.broadcast import unify
from convert.lowering.call import Call
from convert.lowering.registry import lowers


def _and(left: Tensor, right: Tensor) -> Tensor:
    """Of all bits but the last, ``a + b - (a ^ b)`` is twice what they share; the last bits multiply."""
    halves = [tf.bitwise.right_shift(operand, tf.ones_like(operand)) for operand in (left, right)]
    last = [operand - half - half for operand, half in zip((left, right), halves, strict=True)]
    return halves[0] + halves[1] - tf.bitwise.bitwise_xor(*halves) + last[0] * last[1]


@lowers("BitwiseAnd")
def bitwise_and(call: Call) -> Value:
    """The bits that both have."""
    (left, right), layout = _operands(call)
    if left.dtype != tf.int32:
        return call.result(tf.bitwise.bitwise_and(left, right), layout)
    return call.result(_and(left, right), layout)


@lowers("BitwiseOr")
def bitwise_or(call: Call) -> Value:
    """The bits that one has, and those that both have."""
    (left, right), layout = _operands(call)
    if left.dtype != tf.int32:
        return call.result(tf.bitwise.bitwise_or(left, right), layout)
    return call.result(tf.bitwise.bitwise_xor(left, right) + _and(left, right), layout)


@lowers("BitwiseXor")
def bitwise_xor(call: Call) -> Value:
    """The bits that only one has."""
    (left, right), layout = _operands(call)
    return call.result(tf.bitwise.bitwise_xor(left, right), layout)


@lowers("BitwiseNot")
def bitwise_not(call: Call) -> Value:
    """``-x - 1`` in two's complement; cast back to an unsigned type it wraps to the same bits."""
    layout = call.value(0).layout
    x = call.tensor(0, layout)
    return call.result(tf.bitwise.invert(x) if x.dtype.is_unsigned else -x - 1, layout)


@lowers("BitShift")
def bit_shift(call: Call) -> Value:
    """Of unsigned integers: to the right by TFLite's own op, to the left as a product with a power of two."""
    (x, by), layout = _operands(call)
    if call.text("direction", "") == "RIGHT":
        return call.result(tf.bitwise.right_shift(x, by), layout)
    if x.dtype == tf.uint64:
        return call.result(tf.bitwise.left_shift(x, by), layout)
    powers = tf.gather(tf.constant(2 ** np.arange(32), tf.int64), tf.cast(by, tf.int32))
    return call.result(tf.cast(tf.cast(x, tf.int64) * powers, x.dtype), layout)


def _operands(call: Call) -> tuple[list[Tensor], Layout]:
    operands, layout = unify(call, (0, 1))
    return [tf.convert_to_tensor(operand) for operand in operands], layout
