"""Functions for which TFLite has no kernel, by those it has, to a few units in the last place of float32.

float64 keeps TensorFlow's own kernels: TFLite has none for it, and these forms are made for float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import onnx_ir as ir
import tensorflow as tf

from convert.layout.value import Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers

_LOG_2 = math.log(2.0)
_BEYOND_SQUARES = 2.0**30
"""Above it, ``x² + 1`` is ``x²`` in float32, and the square root of that is ``x``."""
_SERIES_ENDS = 0.2
"""Up to here six terms of the series of atanh are exact in float32."""
_ERF_NEAR = (
    7.853861353153693e-5, -8.010193625184903e-4, 5.188327685732524e-3, -2.685381193529856e-2, 1.128358514861418e-1,
    -3.761262582423300e-1, 1.128379165726710,
)  # fmt: skip
"""Coefficients of ``erf(x) / x`` in x² on [-1, 1], highest power first (S. Moshier, Cephes, ``ndtrf.c``)."""
_ERFC_FAR = (
    0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
    -1.26551223,
)  # fmt: skip
"""Of ``log(erfc(x) / t) + x²`` in ``t = 1 / (1 + x / 2)``: 1.2e-7 of erfc (Press et al., Numerical Recipes)."""


def _register(op: str, function: Callable[[Tensor], Tensor], double: Callable[[Tensor], Tensor]) -> None:
    def unary(call: Call) -> Value:
        layout = call.value(0).layout
        x = call.tensor(0, layout)
        return call.result(double(x) if x.dtype == tf.float64 else function(x), layout)

    lowers(op)(unary)


def _polynomial(coefficients: Sequence[float], x: Tensor) -> Tensor:
    """By Horner's rule, highest power first."""
    y = x * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        y = y * x + coefficient
    return y


def _atanh_series(x: Tensor) -> Tensor:
    return x * _polynomial([1 / 11, 1 / 9, 1 / 7, 1 / 5, 1 / 3, 1.0], x * x)


def _log1p(x: Tensor) -> Tensor:
    """``log(1 + x)``; near 0 by ``2 atanh(x / (2 + x))``, which does not lose what the sum rounds off."""
    s = x / (2.0 + x)
    return tf.where(tf.abs(s) < _SERIES_ENDS, 2.0 * _atanh_series(s), tf.math.log(1.0 + x))


def _asin(x: Tensor) -> Tensor:
    return tf.math.atan2(x, tf.sqrt((1.0 - x) * (1.0 + x)))


def _acos(x: Tensor) -> Tensor:
    return tf.math.atan2(tf.sqrt((1.0 - x) * (1.0 + x)), x)


def _sinh(x: Tensor) -> Tensor:
    """Below 1 by its series."""
    square = tf.minimum(x * x, 1.0)
    near = x * _polynomial([1 / 39916800, 1 / 362880, 1 / 5040, 1 / 120, 1 / 6, 1.0], square)
    size = tf.abs(x)
    half = tf.exp(0.5 * size)
    far = (0.5 * half) * half - 0.5 * tf.exp(-size)
    return tf.where(size < 1.0, near, tf.sign(x) * far)


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
    return tf.where(tf.abs(x) < _SERIES_ENDS, _atanh_series(x), 0.5 * tf.math.log((1.0 + x) / (1.0 - x)))


def _erf(x: Tensor) -> Tensor:
    """Below 1 by a polynomial, above as what erfc, which is small there, leaves of 1."""
    size = tf.minimum(tf.abs(x), 10.0)
    near = x * _polynomial(_ERF_NEAR, tf.minimum(size * size, 1.0))
    t = 1.0 / (1.0 + 0.5 * size)
    rest = t * tf.exp(_polynomial(_ERFC_FAR, t) - size * size)
    return tf.where(size < 1.0, near, tf.sign(x) * (1.0 - rest))


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
