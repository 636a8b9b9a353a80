"""Functions for which TFLite has no kernel, by those it has, to a few units in the last place of float32.

float64 keeps TensorFlow's own kernels: TFLite has none for it, and these forms are made for float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import onnx_ir as ir
import tensorflow as tf

from convert.layout.value import Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers

_LOG_2 = math.log(2.0)
_BEYOND_SQUARES = 2.0**30
"""Above it, ``x² + 1`` is ``x²`` in float32, and the square root of that is ``x``."""
_ERF_NUMERATOR = (
    -2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05, -7.34990630326855e-04,
    -2.95459980854025e-03, -1.60960333262415e-02,
)  # fmt: skip
_ERF_DENOMINATOR = (
    -1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03, -1.42647390514189e-02,
)  # fmt: skip
"""Coefficients of Eigen's float32 ``erf`` (``MathFunctionsImpl.h``), highest power first."""


def _register(op: str, function: Callable[[Tensor], Tensor], double: Callable[[Tensor], Tensor]) -> None:
    def unary(call: Call) -> Value:
        layout = call.value(0).layout
        x = call.tensor(0, layout)
        return call.result(double(x) if x.dtype == tf.float64 else function(x), layout)

    lowers(op)(unary)


def _log1p(x: Tensor) -> Tensor:
    """``log(1 + x)``; what the sum rounds off is put back (W. Kahan's correction)."""
    rounded = 1.0 + x
    return tf.math.log(rounded) + (x - (rounded - 1.0)) / rounded


def _asin(x: Tensor) -> Tensor:
    return tf.math.atan2(x, tf.sqrt((1.0 - x) * (1.0 + x)))


def _acos(x: Tensor) -> Tensor:
    return tf.math.atan2(tf.sqrt((1.0 - x) * (1.0 + x)), x)


def _sinh(x: Tensor) -> Tensor:
    """Below 1 by ``e^-|x| - 1``, which ELU computes without cancellation."""
    size = tf.abs(x)
    less = tf.nn.elu(-size)
    small = -0.5 * less * (2.0 + less) / (1.0 + less)
    half = tf.exp(0.5 * size)
    large = (0.5 * half) * half - 0.5 * tf.exp(-size)
    return tf.sign(x) * tf.where(size < 1.0, small, large)


def _cosh(x: Tensor) -> Tensor:
    size = tf.abs(x)
    half = tf.exp(0.5 * size)
    return (0.5 * half) * half + 0.5 * tf.exp(-size)


def _asinh(x: Tensor) -> Tensor:
    size = tf.abs(x)
    inside = tf.minimum(size, _BEYOND_SQUARES)
    square = inside * inside
    near = _log1p(inside + square / (1.0 + tf.sqrt(1.0 + square)))
    return tf.sign(x) * tf.where(size < _BEYOND_SQUARES, near, tf.math.log(size) + _LOG_2)


def _acosh(x: Tensor) -> Tensor:
    above = tf.minimum(x, _BEYOND_SQUARES) - 1.0
    near = _log1p(above + tf.sqrt(above * (above + 2.0)))
    return tf.where(x < _BEYOND_SQUARES, near, tf.math.log(x) + _LOG_2)


def _atanh(x: Tensor) -> Tensor:
    return 0.5 * _log1p(2.0 * x / (1.0 - x))


def _polynomial(coefficients: tuple[float, ...], x: Tensor) -> Tensor:
    y = x * 0.0 + coefficients[0]
    for coefficient in coefficients[1:]:
        y = y * x + coefficient
    return y


def _erf(x: Tensor) -> Tensor:
    """A quotient of polynomials on [-4, 4]; beyond, erf is ±1 in float32."""
    inside = tf.clip_by_value(x, -4.0, 4.0)
    square = inside * inside
    return inside * _polynomial(_ERF_NUMERATOR, square) / _polynomial(_ERF_DENOMINATOR, square)


_register("Tan", lambda x: tf.sin(x) / tf.cos(x), tf.tan)
_register("Asin", _asin, tf.asin)
_register("Acos", _acos, tf.acos)
_register("Atan", lambda x: tf.math.atan2(x, tf.ones_like(x)), tf.atan)
_register("Sinh", _sinh, tf.sinh)
_register("Cosh", _cosh, tf.cosh)
_register("Asinh", _asinh, tf.asinh)
_register("Acosh", _acosh, tf.acosh)
_register("Atanh", _atanh, tf.atanh)


@lowers("Erf")
def erf(call: Call) -> Value:
    """As TensorFlow's own where it is part of a GELU, which TFLite's compiler makes one op of; else by a formula."""
    layout = call.value(0).layout
    x = call.tensor(0, layout)
    return call.result(tf.math.erf(x) if x.dtype == tf.float64 or _in_a_gelu(call) else _erf(x), layout)


def _in_a_gelu(call: Call) -> bool:
    """``erf(…) + 1`` times something, as exporters write a GELU."""
    consumers = [use.node for use in call.node.outputs[0].uses()]
    if len(consumers) != 1 or consumers[0].op_type != "Add":
        return False
    others = [value for value in consumers[0].inputs if value is not call.node.outputs[0]]
    known = ir.convenience.get_const_tensor(others[0]) if len(others) == 1 and others[0] is not None else None
    one = known is not None and known.size == 1 and float(known.numpy().item()) == 1.0
    return one and any(use.node.op_type == "Mul" for use in consumers[0].outputs[0].uses())
