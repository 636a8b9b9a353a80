"""Entries chosen by what they are: where a condition holds, once each, in another order."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from convert.layout.value import Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers


@lowers("NonZero")
def non_zero(call: Call) -> Value:
    """The coordinates of entries that are not 0, one column each."""
    x = call.tensor(0)
    found = x if x.dtype == tf.bool else tf.not_equal(x, tf.zeros_like(x))
    return call.result(tf.transpose(tf.where(found)))


@lowers("Compress")
def compress(call: Call) -> Value:
    """The entries along an axis (of the flattened tensor without one) for which the condition holds."""
    axis = call.node.attributes.get("axis")
    if axis is None:
        x, physical, layout = tf.reshape(call.tensor(0), [-1]), 0, None
    else:
        value = call.unfolded(0, [axis.as_int()])
        x, physical, layout = value.data, value.layout.physical_axis(axis.as_int() % value.rank), value.layout
    known = call.constant(1)
    chosen = np.flatnonzero(known).astype(np.int32) if known is not None else tf.where(call.tensor(1))[:, 0]
    return call.result(tf.gather(x, chosen, axis=physical), layout)


@lowers("ReverseSequence")
def reverse_sequence(call: Call) -> Value:
    """The first entries along the time axis turned round, as many as each sample says."""
    lengths = tf.cast(call.tensor(1), tf.int32)
    time, batch = call.integer("time_axis", 0), call.integer("batch_axis", 1)
    return call.result(tf.reverse_sequence(call.tensor(0), lengths, seq_axis=time, batch_axis=batch))


@lowers("Unique")
def unique(call: Call) -> tuple[Value, ...]:
    """Each value once, by size or as they come; where it is first, which one each entry is, and how many there are."""
    if "axis" in call.node.attributes and call.value(0).rank != 1:
        call.refuse("unique slices along an axis; TFLite finds unique numbers only")
    x = tf.reshape(call.tensor(0), [-1])
    values, which = tf.unique(x, tf.int32)
    if call.integer("sorted", 1):
        _, descending = tf.math.top_k(values, tf.size(values))
        order = tf.reverse(descending, [0])
        values = tf.gather(values, order)
        which = tf.gather(_inverted(order), which)
    is_it = tf.equal(tf.range(tf.size(values))[:, None], which[None, :])
    counts = tf.reduce_sum(tf.cast(is_it, tf.int32), 1)
    first = tf.argmax(tf.cast(is_it, tf.int32), 1)
    results = (values, first, tf.cast(which, tf.int64), tf.cast(counts, tf.int64))
    return tuple(call.result(result) for result in results[: len(call.node.outputs)])


def _inverted(order: Tensor) -> Tensor:
    """The permutation that undoes ``order``."""
    return tf.scatter_nd(order[:, None], tf.range(tf.size(order)), tf.shape(order))


@lowers("Hardmax", since=13)
def hardmax(call: Call) -> Value:
    """1 at the first maximum along an axis, 0 elsewhere."""
    axis = call.integer("axis", -1) % call.value(0).rank
    value = call.unfolded(0, [axis])
    physical = value.layout.physical_axis(axis)
    x = value.data
    size = x.shape[physical] if x.shape[physical] is not None else tf.shape(x)[physical]
    places = tf.reshape(tf.range(size), [-1 if other == physical else 1 for other in range(len(x.shape))])
    first = tf.expand_dims(tf.argmax(x, physical, output_type=tf.int32), physical)
    return call.result(tf.cast(tf.equal(places, first), x.dtype), value.layout)


@lowers("Det")
def determinant(call: Call) -> Value:
    """By expansion along the first row; of matrices up to 4 × 4, for which that is accurate and short."""
    x = call.tensor(0)
    size = x.shape[-1]
    if size is None or size > 4:
        call.refuse("the determinant of a matrix larger than 4 × 4")
    return call.result(_determinant([[x[..., row, column] for column in range(size)] for row in range(size)]))


def _determinant(rows: list[list[Tensor]]) -> Tensor:
    if len(rows) == 1:
        return rows[0][0]
    total = None
    for column, factor in enumerate(rows[0]):
        minor = _determinant([[entry for other, entry in enumerate(row) if other != column] for row in rows[1:]])
        term = factor * minor
        total = term if total is None else (total - term if column % 2 else total + term)
    return total
