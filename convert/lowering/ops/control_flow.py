"""If, Loop and Scan: what can be decided while the graph is built is; the rest becomes LiteRT's IF and WHILE."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from convert.layout.dims import Size
from convert.layout.layout import Layout
from convert.layout.value import Tensor, TensorSequence, Value, constant
from convert.lowering.call import Call
from convert.lowering.loops import MOST_NODES_WRITTEN_OUT, Loop, run, write_out
from convert.lowering.registry import lowers
from convert.lowering.trace import Trace


@lowers("If")
def if_(call: Call) -> tuple[Value, ...]:
    """The branch itself where the condition is a constant."""
    known = call.constant(0)
    if known is not None:
        chosen = "then_branch" if known.reshape(-1)[0] else "else_branch"
        return call.lower_subgraph(call.graph(chosen), (), call.trace)
    ranks: list[list[int]] = []

    def branch(name: str) -> list[Tensor]:
        trace, graph = call.trace.nested(), call.graph(name)
        values = call.lower_subgraph(graph, (), trace)
        if any(isinstance(value, TensorSequence) for value in values):
            call.refuse("a branch gives a sequence, which TFLite cannot hold; expected tensors")
        ranks.append([value.rank for value in values])
        return [_typed(trace, value, output) for value, output in zip(values, graph.outputs, strict=True)]

    condition = tf.reshape(call.tensor(0), [])
    results = tf.cond(condition, lambda: branch("then_branch"), lambda: branch("else_branch"))
    if ranks[0] != ranks[-1]:
        call.refuse(f"its branches give tensors of {ranks[0]} and of {ranks[-1]} axes; expected as many from both")
    return tuple(call.result(tensor) for tensor in (results if isinstance(results, list | tuple) else [results]))


def _typed(trace: Trace, value: Value, output: ir.Value) -> Tensor:
    tensor = tf.identity(trace.tensor(value, Layout.identity(value.rank)))
    return tensor if output.dtype is None else tf.cast(tensor, tf.as_dtype(output.dtype.numpy()))


@lowers("Loop")
def loop(call: Call) -> tuple[Value, ...]:
    """A counted loop, one with a condition, or both. Collected outputs are stacked along a new first axis."""
    body = call.graph("body")

    def turn(trace: Trace, index: Value, condition: Value, carried: Sequence[Value]) -> tuple[Value, ...]:
        return call.lower_subgraph(body, (index, condition, *carried), trace)

    carried = tuple(
        _as_declared(call, value, given) for value, given in zip(call.inputs[2:], body.inputs[2:], strict=True)
    )
    condition = call.value(1) if call.has(1) else constant(np.asarray(True))
    if condition.is_constant:
        condition = constant(np.asarray(condition.data).reshape(()))
    elif condition.rank:
        condition = call.result(tf.reshape(call.tensor(1), []))
    collected = len(body.outputs) - 1 - len(carried)
    written = Loop(turn, _count(call), condition, carried, _goes_on(body), (False,) * collected)
    if isinstance(written.count, int) and written.goes_on and condition.is_constant and _is_short(written.count, body):
        return _written_out(call, written, (0,) * collected)
    return _looped(call, written, (0,) * collected)


def _count(call: Call) -> Tensor | int | None:
    if not call.has(0):
        return None
    known = call.constant(0)
    if known is None:
        return tf.cast(tf.reshape(call.tensor(0), []), tf.int32)
    return int(known.item()) if known.item() < 2**31 - 1 else None


def _as_declared(call: Call, value: Value | None, given: ir.Value) -> Value:
    """A carried value in the type that the body declares: sizes are computed in int32 here, in int64 there."""
    if value is None:
        call.refuse("a carried value without a start")
    if not value.is_shape_arithmetic or given.dtype is None:
        return value
    return call.result(tf.cast(call.trace.tensor(value, value.layout), tf.as_dtype(given.dtype.numpy())))


def _goes_on(body: ir.Graph) -> bool:
    """Whether the condition that a turn gives back is the one it was given, or always true."""
    value: ir.Value | None = body.outputs[0]
    while value is not None and value.producer() is not None:
        node = value.producer()
        assert node is not None
        if node.op_type not in ("Identity", "Cast"):
            break
        value = node.inputs[0]
    if value is body.inputs[1]:
        return True
    known = None if value is None else ir.convenience.get_const_tensor(value)
    return known is not None and bool(np.asarray(known.numpy()).all())


def _is_short(turns: int, body: ir.Graph) -> bool:
    return turns > 0 and turns * sum(1 for _ in body.all_nodes()) <= MOST_NODES_WRITTEN_OUT


@lowers("Scan", since=9)
def scan(call: Call) -> tuple[Value, ...]:
    """A body over the slices of one or more tensors; it carries states, and collects outputs."""
    body = call.graph("body")
    count = call.integer("num_scan_inputs", 1)
    states = len(call.inputs) - count
    scanned = [call.value(states + index) for index in range(count)]
    axes = [
        axis % value.rank for axis, value in zip(call.integers("scan_input_axes") or (0,) * count, scanned, strict=True)
    ]
    slices = [call.unfolded(states + index, [axis]) for index, axis in enumerate(axes)]
    backwards = call.integers("scan_input_directions") or (0,) * count
    turns: Size = scanned[0].sizes[axes[0]]

    def turn(trace: Trace, index: Value, _condition: Value, carried: Sequence[Value]) -> tuple[Value, ...]:
        parts = [
            _slice(trace, value, axis, index, turns, backwards=bool(back))
            for value, axis, back in zip(slices, axes, backwards, strict=True)
        ]
        return (constant(np.asarray(True)), *call.lower_subgraph(body, (*carried, *parts), trace))

    carried = tuple(
        _as_declared(call, value, given) for value, given in zip(call.inputs[:states], body.inputs, strict=False)
    )
    collected = len(body.outputs) - states
    places = call.integers("scan_output_axes") or (0,) * collected
    in_front = tuple(bool(direction) for direction in call.integers("scan_output_directions") or (0,) * collected)
    length = turns if isinstance(turns, int) else call.trace.scalar(turns)
    written = Loop(turn, length, constant(np.asarray(True)), carried, True, in_front)
    if isinstance(length, int) and _is_short(length, body):
        return _written_out(call, written, places)
    return _looped(call, written, places)


def _slice(trace: Trace, value: Value, axis: int, index: Value, turns: Size, *, backwards: bool) -> Value:
    physical = value.layout.physical_axis(axis)
    place = trace.tensor(index, index.layout) if index.is_tensor else int(index.data)
    if backwards:
        length = trace.scalar(turns)
        place = (tf.cast(length, tf.int64) if index.is_tensor else length) - 1 - place
    layout = value.layout.without([axis])
    tensor = tf.gather(value.data, place, axis=physical)
    return Value(tensor, layout, tuple(size for other, size in enumerate(value.sizes) if other != axis))


def _written_out(call: Call, written: Loop, axes: Sequence[int]) -> tuple[Value, ...]:
    carried, collected = write_out(call, written)
    results = list(carried)
    for items, in_front, axis in zip(collected, written.pushed_in_front, axes, strict=True):
        tensors = [call.trace.tensor(item, Layout.identity(item.rank)) for item in items]
        results.append(call.result(tf.stack(tensors[::-1] if in_front else tensors, axis)))
    return tuple(results)


def _looped(call: Call, written: Loop, axes: Sequence[int]) -> tuple[Value, ...]:
    carried, collected = run(call, written)
    results = [call.result(tensor) for tensor in carried]
    for tensor, axis in zip(collected, axes, strict=True):
        rank = tensor.shape.rank
        others = [other for other in range(rank) if other != axis % rank]
        results.append(call.result(tensor, Layout((axis % rank, *others))))
    return tuple(results)
