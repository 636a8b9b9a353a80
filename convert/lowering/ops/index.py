"""Picking entries by index, and putting entries by index."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim
from convert.layout.layout import Layout
from convert.layout.value import Tensor, Value
from convert.lowering.call import Call
from convert.lowering.ops.pieces import MOST_SLICED_AXES
from convert.lowering.registry import lowers
from convert.lowering.source import is_embedding


@lowers("Gather")
def gather(call: Call) -> Value:
    """Entries of one axis, by indices of any rank; negative indices count from the end."""
    value, indices = call.value(0), call.constant(1)
    axis = call.integer("axis", 0) % value.rank
    if indices is None or indices.ndim > 1:
        return _gather_computed(call, axis)
    source = call.unfolded(0, [axis])
    physical = source.layout.physical_axis(axis)
    if indices.ndim == 0 and source.rank > MOST_SLICED_AXES:
        index = int(indices) % int(source.data.shape[physical])
        return call.result(tf.gather(source.data, index, axis=physical), source.layout.without([axis]))
    if indices.ndim == 0:
        return call.result(_entry(call, source, physical, int(indices)), source.layout.without([axis]))
    size = source.data.shape[physical]
    if (indices < 0).any():
        indices = np.where(indices < 0, indices + (size or 0), indices)
    return call.result(tf.gather(source.data, indices.astype(np.int32), axis=physical), source.layout)


def _entry(call: Call, source: Value, physical: int, index: int) -> Tensor:
    """One entry of an axis, by a slice that keeps it, as XNNPACK and the GPU take it, where a RESHAPE can drop it."""
    x = source.data
    whole: list[slice | int] = [slice(None)] * source.rank
    left = [size for axis, size in enumerate(source.layout.physical(source.sizes)) if axis != physical]
    if not tf.as_dtype(x.dtype).is_floating or sum(isinstance(size, Dim) for size in left) > 1 or 0 in left:
        whole[physical] = index
        return x[tuple(whole)]
    whole[physical] = slice(index, index + 1 or None)
    return call.trace.reshape(x[tuple(whole)], left)


def _gather_computed(call: Call, axis: int) -> Value:
    data = call.tensor(0)
    indices = call.tensor(1)
    known = call.constant(1)
    if (known is None and not is_embedding(call.node)) or (known is not None and (known < 0).any()):
        size = tf.cast(tf.shape(data)[axis], indices.dtype)
        indices = tf.where(indices < 0, indices + size, indices)
    return call.result(tf.gather(data, indices, axis=axis))


@lowers("GatherElements")
def gather_elements(call: Call) -> Value:
    """``out[i][j] = data[index[i][j]][j]``."""
    data, indices = call.tensor(0), call.tensor(1)
    axis = call.integer("axis", 0) % data.shape.rank
    coordinates = element_coordinates(data, indices, axis)
    return call.result(tf.gather_nd(data, coordinates))


def element_coordinates(data: Tensor, indices: Tensor, axis: int) -> Tensor:
    """For each entry of ``indices``, positions along ``axis``, the coordinates of the entry that it names."""
    shape = tf.shape(indices)
    indices = tf.cast(indices, tf.int32)
    indices = tf.where(indices < 0, indices + tf.shape(data)[axis], indices)
    grid = tf.meshgrid(*[tf.range(shape[i]) for i in range(data.shape.rank)], indexing="ij")
    grid[axis] = indices
    return tf.stack(grid, axis=-1)


@lowers("GatherND")
def gather_nd(call: Call) -> Value:
    """Slices of the data, by coordinates."""
    data, indices = call.tensor(0), call.tensor(1)
    sizes = tf.cast(tf.shape(data), indices.dtype)
    batch_dims = call.integer("batch_dims", 0)
    depth = indices.shape[-1]
    indices = tf.where(indices < 0, indices + sizes[batch_dims : batch_dims + depth], indices)
    return call.result(tf.gather_nd(data, indices, batch_dims=batch_dims))


@lowers("TopK")
def top_k(call: Call) -> tuple[Value, Value]:
    """The largest (or smallest) entries along an axis, sorted, and their indices."""
    axis = call.integer("axis", -1)
    k = _how_many(call)
    rank = call.value(0).rank
    last = (*(a for a in range(rank) if a != axis % rank), axis % rank)
    layout = Layout(last)
    x = call.tensor(0, layout)
    largest = bool(call.integer("largest", 1))
    values, indices = tf.math.top_k(x if largest else -x, k, sorted=True)
    return (
        call.result(values if largest else -values, layout),
        call.result(tf.cast(indices, tf.int64), layout),
    )


def _how_many(call: Call) -> Tensor | int:
    """``k``: an attribute before operator set 10, then an input, which may be computed."""
    if not call.has(1):
        return call.integer("k", 1)
    known = call.constant(1)
    return int(known.item()) if known is not None else tf.cast(tf.reshape(call.tensor(1), []), tf.int32)


@lowers("Trilu")
def trilu(call: Call) -> Value:
    """The upper or lower triangle of each matrix; zeros elsewhere."""
    x = call.tensor(0)
    k = tf.cast(tf.reshape(call.tensor(1), []), tf.int32) if call.has(1) else 0
    rows, columns = (tf.range(tf.shape(x)[axis]) for axis in (-2, -1))
    difference = columns[None, :] - rows[:, None]
    keep = difference >= k if call.integer("upper", 1) else difference <= k
    return call.result(tf.where(keep, x, tf.zeros_like(x)))


@lowers("OneHot")
def one_hot(call: Call) -> Value:
    """``on`` where the position along the new axis is the entry; negative entries count from the end."""
    indices = tf.cast(call.tensor(0), tf.int64)
    depth = int(call.require_constant(1, "depth").item())
    off, on = (call.tensor(2)[index] for index in (0, 1))
    axis = call.integer("axis", -1)
    hot = tf.one_hot(
        tf.where(indices < 0, indices + depth, indices),
        depth,
        axis=axis if axis >= -1 else axis + indices.shape.rank + 1,
        dtype=tf.bool,
        on_value=True,
        off_value=False,
    )
    return call.result(tf.where(hot, on, off))
