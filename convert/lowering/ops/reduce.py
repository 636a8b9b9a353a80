"""Reductions over axes, in whatever layout the input has."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim, product
from convert.layout.value import Tensor, Value, constant
from convert.lowering.call import Call
from convert.lowering.registry import lowers

_Reduction = Callable[[Tensor, Sequence[int], bool], Tensor]


def _log_sum_exp(x: Tensor, axes: Sequence[int], keepdims: bool) -> Tensor:
    return tf.reduce_logsumexp(x, axes, keepdims)


def mean(x: Tensor, axes: Sequence[int], keepdims: bool = False) -> Tensor:
    """The mean; over a large image row by row first, since LiteRT adds one number after the other.

    108 dB become 133 over 228x228 (squeeze-and-excitation in EfficientNet-B5), in a tenth of a millisecond more.
    """
    sizes = [x.shape[axis] for axis in axes]
    if len(sizes) > 1 and None not in sizes and math.prod(sizes) >= _LONG_SUM and x.dtype.is_floating:
        x = tf.reduce_mean(x, axes[-1], keepdims=True)
    return tf.reduce_mean(x, axes, keepdims)


_LONG_SUM = 2**15
"""Numbers, from which on a second op is worth its digits."""

REDUCTIONS: dict[str, _Reduction] = {
    "ReduceMean": mean,
    "ReduceSum": tf.reduce_sum,
    "ReduceMax": tf.reduce_max,
    "ReduceMin": tf.reduce_min,
    "ReduceProd": tf.reduce_prod,
    "ReduceL1": lambda x, axes, keepdims: tf.reduce_sum(tf.abs(x), axes, keepdims),
    "ReduceL2": lambda x, axes, keepdims: tf.sqrt(tf.reduce_sum(tf.square(x), axes, keepdims)),
    "ReduceSumSquare": lambda x, axes, keepdims: tf.reduce_sum(tf.square(x), axes, keepdims),
    "ReduceLogSum": lambda x, axes, keepdims: tf.math.log(tf.reduce_sum(x, axes, keepdims)),
    "ReduceLogSumExp": _log_sum_exp,
}


_OF_NOTHING = {"ReduceProd": 1.0, "ReduceMean": np.nan, "ReduceLogSum": -np.inf, "ReduceLogSumExp": -np.inf}
"""What a reduction of no elements gives; 0 for the others, the extremes of their type for Max and Min."""


def _register(op: str, reduction: _Reduction) -> None:
    def reduced(call: Call) -> Value:
        return _reduce(call, reduction)

    lowers(op)(reduced)


def _reduce(call: Call, reduction: _Reduction) -> Value:
    given = call.integers_input_or_attribute(1, "axes")
    rank = call.value(0).rank
    if not given and call.integer("noop_with_empty_axes", 0):
        return call.value(0)
    axes = tuple(axis % rank for axis in given) if given else tuple(range(rank))
    if any(call.value(0).sizes[axis] == 0 for axis in axes):
        return _reduction_of_nothing(call, axes)
    value = call.unfolded(0, axes)
    keepdims = bool(call.integer("keepdims", 1))
    physical = sorted(value.layout.physical_axis(axis) for axis in axes)
    if value.data.dtype == tf.bool:
        reduction = {tf.reduce_max: tf.reduce_any, tf.reduce_min: tf.reduce_all}.get(reduction, reduction)
    layout = value.layout if keepdims else value.layout.without(axes)
    if rank <= _MOST_AXES:
        return call.result(reduction(value.data, physical, keepdims), layout)
    return call.result(_with_axes_merged(call, value, reduction, physical, keepdims), layout)


_MOST_AXES = 6
"""XNNPACK claims a SUM over more and then cannot prepare it (RAFT's upsampling has seven)."""


def _with_axes_merged(call: Call, value: Value, reduction: _Reduction, axes: Sequence[int], keepdims: bool) -> Tensor:
    """Neighbouring axes that are all reduced, or all kept, count as one."""
    sizes = value.layout.physical(value.sizes)
    runs = [(gone, list(run)) for gone, run in groupby(range(len(sizes)), key=lambda axis: axis in axes)]
    merged = call.trace.reshape(value.data, [product(sizes[axis] for axis in run) for _, run in runs])
    y = reduction(merged, [index for index, (gone, _) in enumerate(runs) if gone], False)
    left = [1 if axis in axes else size for axis, size in enumerate(sizes) if keepdims or axis not in axes]
    return call.trace.reshape(y, left)


def _reduction_of_nothing(call: Call, axes: Sequence[int]) -> Value:
    """A fixed number everywhere: LiteRT's kernels leave what they find in memory."""
    value, op = call.value(0), call.node.op_type
    dtype = tf.as_dtype(value.data.dtype)
    fill = _OF_NOTHING.get(op, 0.0)
    if op in ("ReduceMax", "ReduceMin"):
        edges = (-np.inf, np.inf) if dtype.is_floating else (dtype.min, dtype.max)
        fill = edges[op == "ReduceMin"]
    keepdims = bool(call.integer("keepdims", 1))
    sizes = [1 if axis in axes else size for axis, size in enumerate(value.sizes) if keepdims or axis not in axes]
    if any(isinstance(size, Dim) for size in sizes):
        return call.result(tf.fill(call.trace.shape(sizes, infer_one=False), tf.constant(fill, dtype)))
    return constant(np.full([int(str(size)) for size in sizes], fill, dtype.as_numpy_dtype))


for _op, _reduction in REDUCTIONS.items():
    _register(_op, _reduction)


@lowers("ArgMax")
def arg_max(call: Call) -> Value:
    """Index of the first maximum along an axis."""
    return _arg(call, tf.argmax)


@lowers("ArgMin")
def arg_min(call: Call) -> Value:
    """Index of the first minimum along an axis."""
    return _arg(call, tf.argmin)


def _arg(call: Call, function: Callable[..., Tensor]) -> Value:
    axis = call.integer("axis", 0)
    value = call.unfolded(0, [axis])
    physical = value.layout.physical_axis(axis)
    if call.integer("select_last_index", 0):
        last = tf.shape(value.data, tf.int64)[physical] - 1
        y = last - function(tf.reverse(value.data, [physical]), axis=physical, output_type=tf.int64)
    else:
        y = function(value.data, axis=physical, output_type=tf.int64)
    if call.integer("keepdims", 1):
        return call.result(tf.expand_dims(y, physical), value.layout)
    return call.result(y, value.layout.without([axis]))


@lowers("CumSum")
def cumulative_sum(call: Call) -> Value:
    """Running sum along an axis."""
    axis = int(call.require_constant(1, "the axis").item())
    value = call.unfolded(0, [axis])
    y = tf.cumsum(
        value.data,
        value.layout.physical_axis(axis),
        exclusive=bool(call.integer("exclusive", 0)),
        reverse=bool(call.integer("reverse", 0)),
    )
    return call.result(y, value.layout)
