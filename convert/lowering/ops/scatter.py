"""Putting entries by index.

TFLite's scatter replaces or adds; other reductions are taken over a table of which update meets which target.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from convert.layout.value import Tensor, Value
from convert.lowering.call import Call
from convert.lowering.ops.index import element_coordinates
from convert.lowering.registry import lowers

_LARGEST_TABLE = 2**24
"""Elements of a table of updates by targets; more would take more memory than the model."""

_REDUCTIONS = {"mul": tf.reduce_prod, "max": tf.reduce_max, "min": tf.reduce_min}
_COMBINED = {"mul": tf.multiply, "max": tf.maximum, "min": tf.minimum}


@lowers("ScatterND")
def scatter_nd(call: Call) -> Value:
    """The data with slices replaced, added to, multiplied …, as ``reduction`` says."""
    if any(0 in call.value(index).sizes for index in range(3)):
        return call.value(0)  # nothing to put, or nowhere; TensorFlow's kernel refuses to put nothing into nothing
    data, updates = call.tensor(0), call.tensor(2)
    indices, reduction = call.tensor(1), call.text("reduction", "none")
    sizes = tf.cast(tf.shape(data)[: indices.shape[-1]], indices.dtype)
    indices = tf.where(indices < 0, indices + sizes, indices)
    if reduction in ("none", "add"):
        function = tf.tensor_scatter_nd_add if reduction == "add" else tf.tensor_scatter_nd_update
        return call.result(function(data, indices, updates))
    depth = indices.shape[-1]
    rows = _static(call, data.shape[:depth])
    count = _static(call, indices.shape[:-1])
    inner = _static(call, data.shape[depth:])
    strides = np.cumprod([1, *reversed([int(size) for size in data.shape[1:depth]])])[::-1]
    flat = tf.reduce_sum(tf.cast(indices, tf.int32) * tf.constant(strides.copy(), tf.int32), axis=-1)
    meets = tf.equal(tf.reshape(flat, [count, 1]), tf.range(rows)[None, :])
    reduced = _reduced(call, meets[:, :, None], tf.reshape(updates, [count, 1, inner]), reduction, 0)
    return call.result(_COMBINED[reduction](data, tf.reshape(reduced, data.shape)))


@lowers("Scatter")
def scatter(call: Call) -> Value:
    """ScatterElements as it was called before operator set 11."""
    return _scatter_elements(call)


@lowers("ScatterElements")
def scatter_elements(call: Call) -> Value:
    """``data[index[i][j]][j] = updates[i][j]``, or added to it, multiplied with it …, as ``reduction`` says."""
    return _scatter_elements(call)


def _scatter_elements(call: Call) -> Value:
    data, indices, updates = call.tensor(0), call.tensor(1), call.tensor(2)
    axis = call.integer("axis", 0) % data.shape.rank
    reduction = call.text("reduction", "none")
    if reduction in ("none", "add"):
        function = tf.tensor_scatter_nd_add if reduction == "add" else tf.tensor_scatter_nd_update
        return call.result(function(data, element_coordinates(data, indices, axis), updates))
    _static(call, data.shape)
    last = [*(a for a in range(data.shape.rank) if a != axis), axis]
    where = tf.transpose(tf.cast(indices, tf.int32), last)[..., None]
    where = tf.where(where < 0, where + data.shape[axis], where)
    meets = tf.equal(where, tf.range(data.shape[axis]))
    reduced = _reduced(call, meets, tf.transpose(updates, last)[..., None], reduction, data.shape.rank - 1)
    reduced = tf.transpose(reduced, [last.index(a) for a in range(data.shape.rank)])
    beyond = [[0, int(size) - int(used)] for size, used in zip(data.shape, reduced.shape, strict=True)]
    padded = tf.pad(reduced, beyond, constant_values=_neutral(data.dtype, reduction))
    return call.result(_COMBINED[reduction](data, padded))


def _static(call: Call, shape: tf.TensorShape) -> int:
    if None in shape.as_list():
        call.refuse(f"reduction {call.text('reduction', 'none')!r} on tensors of dynamic size")
    return math.prod(shape.as_list())


def _reduced(call: Call, meets: Tensor, updates: Tensor, reduction: str, axis: int) -> Tensor:
    """Of all updates along ``axis`` those that meet a target, reduced; the neutral element where none does."""
    if math.prod(np.broadcast_shapes(tuple(meets.shape), tuple(updates.shape))) > _LARGEST_TABLE:
        call.refuse(f"reduction {reduction!r} of so many updates; TFLite's scatter has no such op")
    neutral = tf.constant(_neutral(updates.dtype, reduction), updates.dtype)
    return _REDUCTIONS[reduction](tf.where(meets, updates, neutral), axis)


def _neutral(dtype: tf.DType, reduction: str) -> object:
    return {"mul": 1, "max": dtype.min, "min": dtype.max}[reduction]


@lowers("TensorScatter")
def tensor_scatter(call: Call) -> Value:
    """A cache with new entries written along an axis, for each sample from a position of its own on."""
    past, update = call.tensor(0), call.tensor(1)
    rank = past.shape.rank
    axis = call.integer("axis", -2) % rank
    longest, new = (tensor.shape[axis] for tensor in (past, update))
    if longest is None or new is None:
        call.refuse("a cache of dynamic length")
    order = [0, axis, *(a for a in range(1, rank) if a != axis)]
    past, update = tf.transpose(past, order), tf.transpose(update, order)
    first = tf.cast(call.tensor(2), tf.int32)[:, None] if call.has(2) else tf.zeros([1, 1], tf.int32)
    offset = tf.range(longest)[None, :] - first
    if call.text("mode", "linear") == "circular":
        offset = tf.math.floormod(offset, longest)
    offset = offset + tf.zeros_like(past[:, :, *([0] * (rank - 2))], tf.int32)
    is_new = tf.logical_and(offset >= 0, offset < new)
    written = tf.gather(update, tf.clip_by_value(offset, 0, new - 1), axis=1, batch_dims=1)
    merged = tf.where(tf.reshape(is_new, [-1, longest, *([1] * (rank - 2))]), written, past)
    return call.result(tf.transpose(merged, [order.index(a) for a in range(rank)]))
