"""A body run again and again: written out turn by turn, or as a WHILE.

Written out where the number of turns is known and the graph stays small: constants of the body (a counter, an index)
are then folded, which no loop can. In a WHILE every carried value is stored as ONNX has it; an axis whose size changes
from turn to turn is dynamic, found by tracing the body until its outputs' shapes are no wider than its inputs'.

What a loop collects from every turn is pushed in at one end of a tensor of zeros and out at the other, which has the
right shape from the start: LiteRT's WHILE then keeps its tensors in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim, Size
from convert.layout.layout import Layout
from convert.layout.value import Tensor, TensorSequence, Value, constant
from convert.lowering.call import Call
from convert.lowering.trace import Trace

MOST_NODES_WRITTEN_OUT = 512

Turn = Callable[[Trace, Value, Value, Sequence[Value]], tuple[Value, ...]]
"""(trace, index, condition, carried) → (condition, then every carried value, then what is collected)."""


@dataclass(frozen=True)
class Loop:
    """``count`` turns at most (``None``: no limit), as long as the condition holds."""

    turn: Turn
    count: Tensor | int | None
    condition: Value
    carried: tuple[Value, ...]
    goes_on: bool
    """The condition never changes, so that the number of turns is known before the first."""
    pushed_in_front: tuple[bool, ...]
    """One entry for each thing that is collected: whether the last turn's comes first."""


def write_out(call: Call, loop: Loop) -> tuple[tuple[Value, ...], list[list[Value]]]:
    """The carried values after the last turn, and what was collected, turn by turn."""
    assert isinstance(loop.count, int)
    carried = loop.carried
    collected: list[list[Value]] = [[] for _ in loop.pushed_in_front]
    for index in range(loop.count if np.asarray(loop.condition.data).item() else 0):
        inner = call.trace.nested()
        results = loop.turn(inner, constant(np.int64(index)), loop.condition, carried)
        brought_out = [brought_out_of(inner, call.trace, value) for value in results[1:]]
        carried = tuple(brought_out[: len(carried)])
        for items, item in zip(collected, brought_out[len(carried) :], strict=True):
            items.append(item)
    return carried, collected


def brought_out_of(inner: Trace, outer: Trace, value: Value) -> Value:
    """A value of a nested trace in the same graph, its sizes in the symbols of the outer one."""
    if isinstance(value, TensorSequence):
        return TensorSequence.of(brought_out_of(inner, outer, item) for item in value.data)
    if value.is_constant or (value.is_shape_arithmetic and all(outer.knows(size) for size in value.data.flat)):
        return value
    tensor = value.data if value.is_tensor else inner.tensor(value, value.layout)
    known = outer.sizes(tensor, value.layout)
    sizes = tuple(ours if outer.knows(ours) else theirs for ours, theirs in zip(value.sizes, known, strict=True))
    return Value(tensor, value.layout, sizes, value.parameter)


def run(call: Call, loop: Loop) -> tuple[list[Tensor], list[Tensor]]:
    """A WHILE: the carried tensors after the last turn, and what was collected, along a new first axis."""
    if any(isinstance(value, TensorSequence) for value in loop.carried):
        call.refuse("a sequence carried through a loop, which TFLite cannot hold; stack the tensors instead")
    if loop.pushed_in_front and not (loop.goes_on and loop.count is not None):
        call.refuse(
            "it collects a tensor from every turn, and how many turns there are is decided while it runs; "
            "give the loop a fixed number of turns"
        )
    start = [_tensor(call.trace, value) for value in loop.carried]
    shapes, items = _settled_shapes(call, loop, start)
    turns = loop.count
    if loop.goes_on and turns is not None:
        turns = tf.where(_tensor(call.trace, loop.condition), turns, 0) if not loop.condition.is_constant else turns
    kept = [_room(call, turns, item) for item in items]

    def go_on(index: Tensor, condition: Tensor, *_: Tensor) -> Tensor:
        below = True if turns is None else index < turns
        return below if loop.goes_on and turns is not None else tf.logical_and(below, condition)

    def turn(index: Tensor, condition: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        results = _turn(call, loop, index, condition, tensors[: len(start)])
        carried = [_shaped(tensor, shape) for tensor, shape in zip(results.carried, shapes, strict=True)]
        pushed = [
            _pushed(before, item, in_front=in_front)
            for before, item, in_front in zip(
                tensors[len(start) :], results.collected, loop.pushed_in_front, strict=True
            )
        ]
        return (index + 1, results.condition, *carried, *pushed)

    begin = (tf.constant(0), _tensor(call.trace, loop.condition), *start, *kept)
    invariants = (tf.TensorShape([]), tf.TensorShape([]), *shapes, *(tensor.shape for tensor in kept))
    end = tf.while_loop(go_on, turn, begin, shape_invariants=invariants)
    return list(end[2 : 2 + len(start)]), list(end[2 + len(start) :])


@dataclass(frozen=True)
class _Results:
    condition: Tensor
    carried: list[Tensor]
    collected: list[Tensor]
    collected_sizes: list[tuple[Size, ...]]


def _turn(call: Call, loop: Loop, index: Tensor, condition: Tensor, tensors: Sequence[Tensor]) -> _Results:
    inner = call.trace.nested()
    values = [
        Value(tensor, Layout.identity(tensor.shape.rank), inner.sizes(tensor, Layout.identity(tensor.shape.rank)))
        for tensor in tensors
    ]
    counter = Value(tf.cast(index, tf.int64), Layout.identity(0), ())
    state = loop.condition if loop.goes_on and loop.condition.is_constant else Value(condition, Layout.identity(0), ())
    results = loop.turn(inner, counter, state, values)
    made = [_tensor(inner, value) for value in results]
    count = 1 + len(tensors)
    carried = [tf.cast(new, old.dtype) for new, old in zip(made[1:count], tensors, strict=True)]
    return _Results(tf.reshape(made[0], []), carried, made[count:], [value.sizes for value in results[count:]])


@dataclass(frozen=True)
class _Item:
    """What is collected from a turn."""

    dtype: tf.DType
    sizes: tuple[Size, ...]


def _settled_shapes(call: Call, loop: Loop, start: Sequence[Tensor]) -> tuple[list[tf.TensorShape], list[_Item]]:
    """Shapes that hold before and after every turn, and what is collected."""
    shapes = [tensor.shape for tensor in start]
    while True:
        after, items = _traced(call, loop, shapes, [tensor.dtype for tensor in start])
        for shape, given in zip(after, shapes, strict=True):
            if shape.rank != given.rank:
                call.refuse(f"a carried value of {given.rank} axes comes back with {shape.rank}; TFLite needs as many")
        wider = [_common(given, shape) for given, shape in zip(shapes, after, strict=True)]
        if [shape.as_list() for shape in wider] == [shape.as_list() for shape in shapes]:
            return shapes, items
        shapes = wider


def _traced(
    call: Call, loop: Loop, shapes: Sequence[tf.TensorShape], dtypes: Sequence[tf.DType]
) -> tuple[list[tf.TensorShape], list[_Item]]:
    """One turn, traced for its shapes alone."""
    seen: list[_Results] = []

    def trial(index: Tensor, condition: Tensor, *tensors: Tensor) -> list[Tensor]:
        seen[:] = [_turn(call, loop, index, condition, tensors)]
        return seen[0].carried

    specs = [tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.bool)]
    specs += [tf.TensorSpec(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
    tf.function(trial, autograph=False).get_concrete_function(*specs)
    items = [
        _Item(tensor.dtype, sizes) for tensor, sizes in zip(seen[0].collected, seen[0].collected_sizes, strict=True)
    ]
    return [tensor.shape for tensor in seen[0].carried], items


def _common(left: tf.TensorShape, right: tf.TensorShape) -> tf.TensorShape:
    pairs = zip(left.as_list(), right.as_list(), strict=True)
    return tf.TensorShape([one if one == other else None for one, other in pairs])


def _shaped(tensor: Tensor, shape: tf.TensorShape) -> Tensor:
    tensor = tf.identity(tensor)
    tensor.set_shape(shape)
    return tensor


def _room(call: Call, turns: Tensor | int, item: _Item) -> Tensor:
    """Zeros of the shape that the collected tensors will have, the turns first."""
    if not all(call.trace.knows(size) for size in item.sizes):
        call.refuse("the tensor it collects from every turn has a size that is known only within the turn")
    sizes = [call.trace.scalar(size) for size in item.sizes]
    room = tf.fill(tf.stack([turns, *sizes]), tf.zeros([], item.dtype))
    static = [None if isinstance(size, Dim) else size for size in item.sizes]
    room.set_shape([turns if isinstance(turns, int) else None, *static])
    return room


def _pushed(before: Tensor, item: Tensor, *, in_front: bool) -> Tensor:
    parts = [item[None], before[:-1]] if in_front else [before[1:], item[None]]
    pushed = tf.concat(parts, 0)
    pushed.set_shape(before.shape)
    return pushed


def _tensor(trace: Trace, value: Value) -> Tensor:
    return tf.convert_to_tensor(trace.tensor(value, Layout.identity(value.rank)))
