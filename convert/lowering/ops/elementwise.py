"""Element-wise arithmetic, comparison and logic, with broadcasting, in whatever layout the operands have."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np
import tensorflow as tf

from convert.layout.value import Array, Tensor, Value
from convert.lowering.broadcast import unify
from convert.lowering.call import NUMBER_TYPES, Call
from convert.lowering.registry import lowers
from convert.lowering.select import select

_LARGEST_IN_INT64 = 9.223371487098962e18
"""The largest float32 below 2^63."""


def _register_unary(op: str, function: Callable[[Tensor], Tensor]) -> None:
    def unary(call: Call) -> Value:
        layout = call.value(0).layout
        return call.result(function(call.tensor(0, layout)), layout)

    lowers(op)(unary)


def _register_binary(op: str, function: Callable[[Tensor, Tensor], Tensor]) -> None:
    def binary(call: Call) -> Value:
        if op == "Mul" and (factor := _times_one(call)) is not None:
            return factor
        (left, right), layout = unify(call, (0, 1))
        return call.result(function(left, right), layout)

    lowers(op)(binary)


def _times_one(call: Call) -> Value | None:
    """What is multiplied by ones only, which do not make it larger: masks that turned out to hide nothing."""
    for one, other in ((0, 1), (1, 0)):
        value, ones = call.value(other), call.value(one)
        if value.is_tensor and call.is_constant(one, 1) and ones.rank <= value.rank:
            sizes = value.sizes[value.rank - ones.rank :]
            if all(size in (1, whole) for size, whole in zip(ones.sizes, sizes, strict=True)):
                return value
    return None


def _register_variadic(op: str, function: Callable[[Tensor, Tensor], Tensor]) -> None:
    def variadic(call: Call) -> Value:
        operands, layout = unify(call, range(len(call.inputs)))
        return call.result(reduce(function, operands), layout)

    lowers(op)(variadic)


def _divide(left: Tensor, right: Tensor) -> Tensor:
    """Integers are truncated towards zero, as in C."""
    dtype = tf.as_dtype(left.dtype)
    if not dtype.is_integer:
        return left / right
    if dtype == tf.int32:
        return tf.raw_ops.Div(x=left, y=right)
    if dtype == tf.int64:
        return _truncated_quotient(tf.convert_to_tensor(left), tf.convert_to_tensor(right))
    return tf.truncatediv(left, right)


def _truncated_quotient(left: Tensor, right: Tensor) -> Tensor:
    """int64 has a kernel for the remainder only; what is left divides exactly, so that float32 estimates come to it.

    Each estimate is right to 22 bits; the third leaves nothing of 63.
    """
    remainder = tf.math.floormod(left, right)
    whole = left - remainder
    quotient = tf.zeros_like(whole)
    divisor = tf.cast(right, tf.float32)
    for _ in range(4):
        rest = tf.cast(whole - quotient * right, tf.float32)
        estimate = tf.clip_by_value(tf.round(rest / divisor), -_LARGEST_IN_INT64, _LARGEST_IN_INT64)
        quotient = quotient + tf.cast(estimate, tf.int64)
    is_rounded = tf.logical_and(tf.not_equal(remainder, 0), tf.not_equal(left < 0, right < 0))
    return quotient + tf.cast(is_rounded, tf.int64)


def _size(x: Tensor) -> Tensor:
    """TFLite's ABS has no int64."""
    return tf.maximum(x, -x) if x.dtype == tf.int64 else tf.abs(x)


def _sign(x: Tensor) -> Tensor:
    """Neither has SIGN."""
    return tf.cast(x > 0, x.dtype) - tf.cast(x < 0, x.dtype) if x.dtype == tf.int64 else tf.sign(x)


def _power(base: Tensor, exponent: Tensor) -> Tensor:
    """Squares and roots as TFLite's own ops; the result has the base's type."""
    base = tf.convert_to_tensor(base)
    if isinstance(exponent, np.ndarray) and exponent.size == 1 and base.dtype.is_floating:
        known = {2.0: tf.square, 0.5: tf.sqrt, -0.5: tf.math.rsqrt, 1.0: tf.identity}.get(float(exponent.item()))
        if known is not None and exponent.ndim <= base.shape.rank:
            return known(base)
    if base.dtype == tf.int64 and isinstance(exponent, np.ndarray) and exponent.dtype.kind in "iu":
        return _whole_power(base, exponent)
    exponent = tf.convert_to_tensor(exponent)
    if base.dtype.is_integer and exponent.dtype.is_floating:
        return tf.cast(tf.pow(tf.cast(base, exponent.dtype), exponent), base.dtype)
    return tf.pow(base, tf.cast(exponent, base.dtype))


def _whole_power(base: Tensor, exponent: Array) -> Tensor:
    """By squaring: TFLite's POW has no int64."""
    if exponent.size == 0 or exponent.min() < 0:
        return tf.pow(base, tf.cast(exponent, base.dtype))
    power = tf.ones_like(base)
    for bit in range(int(exponent.max()).bit_length()):
        power = tf.where((exponent >> bit) & 1 == 1, power * base, power)
        base = base * base
    return power


def _is_nan(x: Tensor) -> Tensor:
    return tf.not_equal(x, x)


UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "Identity": tf.identity,
    "Abs": _size,
    "Neg": tf.negative,
    "Sqrt": tf.sqrt,
    "Reciprocal": tf.math.reciprocal,
    "Exp": tf.exp,
    "Log": tf.math.log,
    "Floor": tf.floor,
    "Ceil": tf.math.ceil,
    "Round": tf.round,
    "Sign": _sign,
    "Not": tf.logical_not,
    "IsNaN": _is_nan,
    "Sin": tf.sin,
    "Cos": tf.cos,
    "Tanh": tf.tanh,
}

BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Add": lambda left, right: left + right,
    "Sub": lambda left, right: left - right,
    "Mul": lambda left, right: left * right,
    "Div": _divide,
    "Pow": _power,
    "Equal": tf.equal,
    "Less": tf.less,
    "Greater": tf.greater,
    "LessOrEqual": tf.less_equal,
    "GreaterOrEqual": tf.greater_equal,
    "And": tf.logical_and,
    "Or": tf.logical_or,
    "Xor": tf.math.logical_xor,
}

for _op, _unary in UNARY.items():
    _register_unary(_op, _unary)
for _op, _binary in BINARY.items():
    _register_binary(_op, _binary)
_register_variadic("Sum", lambda left, right: left + right)
_register_variadic("Min", tf.minimum)
_register_variadic("Max", tf.maximum)


@lowers("Dropout")
def dropout(call: Call) -> Value | tuple[Value, Value]:
    """At inference its input, as it is; the mask says that nothing was dropped."""
    training = call.constant(2)
    if call.has(2) and (training is None or training.item()):
        call.refuse("training mode; export the model in evaluation mode (model.eval())")
    value = call.value(0)
    if len(call.node.outputs) == 1:
        return value
    mask = tf.cast(tf.ones_like(call.tensor(0, value.layout)), tf.bool)
    return value, call.result(mask, value.layout)


@lowers("Mean")
def mean(call: Call) -> Value:
    """Of all inputs, element by element."""
    operands, layout = unify(call, range(len(call.inputs)))
    return call.result(reduce(lambda left, right: left + right, operands) / len(operands), layout)


@lowers("Mod")
def mod(call: Call) -> Value:
    """With the divisor's sign, or the dividend's (as C's fmod) where ``fmod`` says so."""
    (left, right), layout = unify(call, (0, 1))
    if call.integer("fmod", 0):
        whole = _divide(left, right)
        whole = tf.sign(whole) * tf.floor(tf.abs(whole)) if tf.as_dtype(left.dtype).is_floating else whole
        return call.result(left - right * whole, layout)
    return call.result(tf.math.floormod(left, right), layout)


@lowers("IsInf")
def is_inf(call: Call) -> Value:
    """Whether an entry is infinite, of the signs asked for."""
    layout = call.value(0).layout
    x = call.tensor(0, layout)
    largest = tf.constant(x.dtype.max, x.dtype)
    positive, negative = bool(call.integer("detect_positive", 1)), bool(call.integer("detect_negative", 1))
    if positive and negative:
        return call.result(tf.abs(x) > largest, layout)
    if not positive and not negative:
        return call.result(tf.not_equal(x, x) & tf.equal(x, x), layout)
    return call.result(x > largest if positive else x < -largest, layout)


@lowers("Where")
def where(call: Call) -> Value:
    """``x`` where the condition holds, ``y`` elsewhere."""
    (condition, x, y), layout = unify(call, (0, 1, 2))
    return call.result(select(condition, x, y), layout)


@lowers("Cast")
def cast(call: Call) -> Value:
    """To the type of the attribute ``to``; floats become integers by truncation."""
    layout = call.value(0).layout
    return call.result(tf.cast(call.tensor(0, layout), call.dtype("to")), layout)


@lowers("CastLike")
def cast_like(call: Call) -> Value:
    """To the type of the second input."""
    layout = call.value(0).layout
    dtype = call.tensor(1, call.value(1).layout).dtype
    if dtype not in NUMBER_TYPES:
        call.refuse(f"the type {dtype.name}")
    return call.result(tf.cast(call.tensor(0, layout), dtype), layout)
