"""Ops that only say anew how a tensor is cut into axes; most cost nothing, for the layout takes them up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim, Size, product
from convert.layout.reshape import ReshapePlan, common_refinement, order_of_parts, plan_reshape, resolve_target
from convert.layout.value import Merged, Value, constant
from convert.lowering.call import Call
from convert.lowering.registry import lowers

_TILED = frozenset({tf.float32, tf.int32, tf.int64, tf.bool})
"""What TFLite's TILE repeats. It takes constant counts, where BROADCAST_TO wants the whole shape computed."""


def reshaped(call: Call, value: Value, target: Sequence[Size]) -> Value:
    """``value`` with other logical sizes, in its stored order where that can be."""
    if value.is_constant or value.is_shape_arithmetic:
        tensor = call.trace.reshape(call.trace.tensor(value, value.layout), target)
        return call.result(tensor)
    value, plan = _cheapest(call, value, target)
    tensor = call.trace.reshape(call.trace.tensor(value, plan.prepared), plan.stored_sizes)
    moved = None if plan.prepared == value.layout else Merged(value, tuple(target), tuple(range(len(target))))
    return Value(tensor, plan.layout, tuple(target), merged=moved)


def _cheapest(call: Call, value: Value, target: Sequence[Size]) -> tuple[Value, ReshapePlan]:
    """The value, or the one that a Reshape before had to move, cut finer and transposed: one move instead of two."""
    plan = plan_reshape(value.layout, value.sizes, target)
    source = _before_the_move(call, value)
    if source is None:
        return value, plan
    direct = plan_reshape(source.layout, source.sizes, target)
    return (source, direct) if direct.prepared == source.layout or plan.prepared != value.layout else (value, plan)


def _before_the_move(call: Call, value: Value) -> Value | None:
    """The same entries in the same order, in axes that both the Reshape before and the next one can be made of."""
    if value.merged is None:
        return None
    source, merged = value.merged.value, value.merged
    refined = common_refinement(source.sizes, merged.sizes)
    if refined is None:
        return None
    plan = plan_reshape(source.layout, source.sizes, refined)
    if plan.prepared != source.layout:
        return None
    cut = Value(call.trace.reshape(source.data, plan.stored_sizes), plan.layout, refined)
    return _transposed(cut, order_of_parts(refined, merged.sizes, merged.permutation))


@lowers("Reshape")
def reshape(call: Call) -> Value:
    """0 copies the input's size unless ``allowzero``; -1 is what is left."""
    value, requested = call.value(0), call.sizes(1)
    if requested is not None:
        target = resolve_target(value.sizes, requested, zero_copies=not call.integer("allowzero", 0))
        if target is not None:
            return reshaped(call, value, target)
        return call.result(
            tf.reshape(call.tensor(0), call.trace.shape(_zeros_copied(value, requested), infer_one=False))
        )
    return call.result(tf.reshape(call.tensor(0), tf.cast(call.tensor(1), tf.int32)))


def _zeros_copied(value: Value, requested: Sequence[Size]) -> list[Size]:
    return [value.sizes[axis] if size == 0 else size for axis, size in enumerate(requested)]


@lowers("Flatten")
def flatten(call: Call) -> Value:
    """To two axes: those before ``axis``, and the rest."""
    value = call.value(0)
    axis = call.integer("axis", 1)
    axis = axis % value.rank if axis < 0 else axis
    return reshaped(call, value, (product(value.sizes[:axis]), product(value.sizes[axis:])))


@lowers("Squeeze")
def squeeze(call: Call) -> Value:
    """Without the given axes of size 1, or without all of them."""
    value = call.value(0)
    axes = call.integers_input_or_attribute(1, "axes")
    gone = {axis % value.rank for axis in axes} if axes else {a for a, size in enumerate(value.sizes) if size == 1}
    return reshaped(call, value, [size for axis, size in enumerate(value.sizes) if axis not in gone])


@lowers("Unsqueeze")
def unsqueeze(call: Call) -> Value:
    """With axes of size 1 at the given places of the result."""
    value = call.value(0)
    axes = call.integers_input_or_attribute(1, "axes") or ()
    rank = value.rank + len(axes)
    added = {axis % rank for axis in axes}
    rest = iter(value.sizes)
    return reshaped(call, value, [1 if axis in added else next(rest) for axis in range(rank)])


@lowers("Transpose")
def transpose(call: Call) -> Value:
    """A relabelling of the axes; whoever cannot take the storage as it is transposes it."""
    value = call.value(0)
    permutation = call.integers("perm") or tuple(reversed(range(value.rank)))
    if not value.is_tensor:
        return call.result(tf.transpose(call.tensor(0), permutation))
    return _transposed(value, permutation)


def _transposed(value: Value, permutation: Sequence[int]) -> Value:
    merged = value.merged
    if merged is not None:
        merged = replace(merged, permutation=tuple(merged.permutation[axis] for axis in permutation))
    sizes = tuple(value.sizes[axis] for axis in permutation)
    return Value(value.data, value.layout.transposed(permutation), sizes, merged=merged)


@lowers("Shape")
def shape(call: Call) -> Value:
    """The sizes, static and dynamic ones."""
    sizes = call.value(0).sizes[slice(call.integer("start", 0), call.integer("end", 2**31))]
    array = np.empty(len(sizes), dtype=object)
    array[:] = sizes
    return constant(array)


@lowers("Size")
def size(call: Call) -> Value:
    """How many elements."""
    array = np.empty((), dtype=object)
    array[()] = product(call.value(0).sizes)
    return constant(array)


@lowers("Expand")
def expand(call: Call) -> Value:
    """Broadcast with a shape, in both directions."""
    value, requested = call.value(0), call.sizes(1)
    if requested is None:
        x = call.tensor(0)
        wanted = tf.broadcast_dynamic_shape(tf.shape(x), tf.cast(call.tensor(1), tf.int32))
        return call.result(tf.broadcast_to(x, wanted))
    rank = max(len(requested), value.rank)
    ours = (*[1] * (rank - value.rank), *value.sizes)
    theirs = (*[1] * (rank - len(requested)), *requested)
    target = tuple(mine if wanted == 1 else wanted for mine, wanted in zip(ours, theirs, strict=True))
    wide = reshaped(call, value, ours)
    if wide.sizes == target:
        return wide
    stored = wide.layout.unfolded()
    tensor = call.trace.tensor(wide, stored)
    repeats = [1 if size == wanted else wanted for size, wanted in zip(wide.sizes, target, strict=True)]
    from_one = all(size in (1, wanted) for size, wanted in zip(wide.sizes, target, strict=True))
    if from_one and tensor.dtype in _TILED and all(isinstance(size, int) and size > 0 for size in repeats):
        return Value(tf.tile(tensor, stored.physical(repeats)), stored, target)
    broadcast = tf.broadcast_to(tensor, call.trace.shape(stored.physical(target), infer_one=False))
    static = [None if isinstance(size, Dim) else size for size in stored.physical(target)]
    broadcast.set_shape(static)
    return Value(broadcast, stored, target)


@lowers("Tile")
def tile(call: Call) -> Value:
    """Repeated along each axis."""
    value = call.value(0)
    repeats = call.sizes(1)
    if repeats is None:
        return call.result(tf.tile(call.tensor(0), tf.cast(call.tensor(1), tf.int32)))
    layout = value.layout.unfolded()
    multiples = call.trace.shape(layout.physical(repeats), infer_one=False)
    sizes = tuple(size * times for size, times in zip(value.sizes, repeats, strict=True))
    return Value(tf.tile(call.tensor(0, layout), multiples), layout, sizes)


@lowers("DepthToSpace")
def depth_to_space(call: Call) -> Value:
    """Channels become blocks of pixels; ``CRD`` order (torch's pixel shuffle) first brings channels to ``DCR``."""
    block = call.integer("blocksize", 1)
    x = call.channels_last(0)
    if call.text("mode", "DCR") == "CRD":
        channels = x.shape[-1]
        order = np.arange(channels).reshape(-1, block, block).transpose(1, 2, 0).reshape(-1)
        x = tf.gather(x, order.astype(np.int32), axis=-1)
    return call.channels_last_result(tf.nn.depth_to_space(x, block))


@lowers("SpaceToDepth")
def space_to_depth(call: Call) -> Value:
    """Blocks of pixels become channels."""
    return call.channels_last_result(tf.nn.space_to_depth(call.channels_last(0), call.integer("blocksize", 1)))
