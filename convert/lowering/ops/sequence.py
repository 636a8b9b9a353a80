"""ONNX's lists of tensors, where what is done to them is known while the graph is built. TFLite has no such type."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim
from convert.layout.layout import Layout
from convert.layout.value import TensorSequence, Value, constant
from convert.lowering.call import Call
from convert.lowering.registry import lowers


def _items(call: Call, index: int = 0) -> list[Value]:
    value = call.value(index)
    if not isinstance(value, TensorSequence):
        call.refuse("a sequence that is made while the model runs; expected one whose length is known before")
    return list(value.data)


def _position(call: Call, index: int, length: int, *, end: int) -> int:
    """A constant position, counted from the end where it is negative; ``end`` where it is not given."""
    position = int(call.require_constant(index, "the position").item()) if call.has(index) else end
    if not -length <= position <= length:
        call.refuse(f"position {position} in a sequence of {length}")
    return position + length if position < 0 else position


@lowers("SequenceEmpty")
def sequence_empty(_call: Call) -> Value:
    """A sequence of nothing."""
    return TensorSequence.of(())


@lowers("SequenceConstruct")
def sequence_construct(call: Call) -> Value:
    """A sequence of the inputs."""
    return TensorSequence.of(call.value(index) for index in range(len(call.inputs)))


@lowers("SequenceInsert")
def sequence_insert(call: Call) -> Value:
    """With one tensor more, at the end by default."""
    items = _items(call)
    position = _position(call, 2, len(items), end=len(items))
    return TensorSequence.of([*items[:position], call.value(1), *items[position:]])


@lowers("SequenceErase")
def sequence_erase(call: Call) -> Value:
    """With one tensor less, the last by default."""
    items = _items(call)
    position = _position(call, 1, len(items), end=-1)
    return TensorSequence.of([*items[:position], *items[position + 1 :]])


@lowers("SequenceAt")
def sequence_at(call: Call) -> Value:
    """One of the tensors."""
    items = _items(call)
    position = _position(call, 1, len(items), end=0)
    if position == len(items):
        call.refuse(f"position {position} in a sequence of {len(items)}")
    item: Value = items[position]
    return item


@lowers("SequenceLength")
def sequence_length(call: Call) -> Value:
    """How many tensors."""
    return constant(np.int64(len(_items(call))))


@lowers("ConcatFromSequence")
def concat_from_sequence(call: Call) -> Value:
    """The tensors, one after the other along an axis, or along a new one."""
    items = _items(call)
    if not items:
        call.refuse("an empty sequence")
    new_axis = bool(call.integer("new_axis", 0))
    tensors = [call.trace.tensor(item, Layout.identity(item.rank)) for item in items]
    axis = call.integer("axis", 0)
    return call.result(tf.stack(tensors, axis) if new_axis else tf.concat(tensors, axis))


@lowers("SplitToSequence")
def split_to_sequence(call: Call) -> Value:
    """Slices of an axis, of one given size or of several; of size 1, and then without the axis unless ``keepdims``."""
    tensor = call.tensor(0)
    axis = call.integer("axis", 0) % call.value(0).rank
    size = call.value(0).sizes[axis]
    if isinstance(size, Dim):
        call.refuse(f"axis {axis} is dynamic; the number of slices has to be known before the model runs")
    if not call.has(1):
        slices = tf.unstack(tensor, axis=axis)
        keep = bool(call.integer("keepdims", 1))
        return TensorSequence.of(call.result(tf.expand_dims(part, axis) if keep else part) for part in slices)
    given = call.require_constant(1, "split")
    if given.ndim:
        sizes = [int(part) for part in given]
    else:
        sizes = [min(int(given), size - start) for start in range(0, size, int(given))]
    return TensorSequence.of(call.result(part) for part in tf.split(tensor, sizes, axis))
