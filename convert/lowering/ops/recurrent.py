"""ONNX's RNN, GRU and LSTM over a whole sequence, in one direction or both.

The input stays stored as it comes: batch-first or time-first makes no transpose. All inputs are multiplied with their
weights at once; the states go step by step (:mod:`convert.lowering.recurrence`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim, Size
from convert.layout.layout import Layout
from convert.layout.value import Array, Tensor, Value
from convert.lowering.call import Call
from convert.lowering.cells import (
    Activation,
    Cell,
    StateWeights,
    gru_cell,
    gru_cell_linear_before_reset,
    lstm_cell,
    rnn_cell,
)
from convert.lowering.recurrence import Course, steps_per_turn, walk
from convert.lowering.registry import lowers

_ACTIVATIONS: dict[str, Activation] = {"sigmoid": tf.sigmoid, "tanh": tf.tanh, "relu": tf.nn.relu}
_DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}


@dataclass(frozen=True)
class _Kind:
    """What tells the three ops apart."""

    gates: int
    activations: tuple[str, ...]
    cell: Callable[[StateWeights, tuple[Activation, ...]], Cell]
    states: int = 1
    bias_apart: bool = False
    """The bias of the state's product is not simply added to that of the input's."""


@lowers("RNN")
def rnn(call: Call) -> tuple[Value, ...]:
    """``f(W·x + R·h + b)``."""
    return _recurrent(call, _Kind(1, ("Tanh",), rnn_cell))


@lowers("GRU")
def gru(call: Call) -> tuple[Value, ...]:
    """Update, reset and hidden gates, the reset before or after the linear map."""
    if call.integer("linear_before_reset", 0):
        return _recurrent(call, _Kind(3, ("Sigmoid", "Tanh"), gru_cell_linear_before_reset, bias_apart=True))
    return _recurrent(call, _Kind(3, ("Sigmoid", "Tanh"), gru_cell))


@lowers("LSTM")
def lstm(call: Call) -> tuple[Value, ...]:
    """Input, output, forget and cell gates, with peepholes where they are given."""
    if call.integer("input_forget", 0):
        call.refuse("input_forget=1, coupled gates, which no framework exports; expected 0")
    return _recurrent(call, _Kind(4, ("Sigmoid", "Tanh", "Tanh"), lstm_cell, states=2))


@dataclass(frozen=True)
class _Sequence:
    """The input, and which axes of its storage are what. ``layout`` is that of ``(time, batch, …)`` in ONNX's order."""

    data: Tensor
    layout: Layout
    time: Size
    batch: Size
    batch_first: bool
    """The op's attribute ``layout``: ONNX's own order of axes, not the storage's."""

    @property
    def time_axis(self) -> int:
        return self.layout.physical_axis(1 if self.batch_first else 0)


@dataclass(frozen=True)
class _Direction:
    """Which part of the weights, from which end, with which activations."""

    index: int
    reverse: bool
    activations: tuple[Activation, ...]


def _recurrent(call: Call, kind: _Kind) -> tuple[Value, ...]:
    if "clip" in call.node.attributes:
        call.refuse("the attribute clip, whose meaning for the cell state differs between runtimes; expected none")
    sequence = _sequence(call)
    directions = _DIRECTIONS.get(call.text("direction", "forward"))
    if directions is None:
        call.refuse(f"direction {call.text('direction', '')!r}; expected {', '.join(_DIRECTIONS)}")
    activations = _activations(call, kind, len(directions))
    walked = [
        _walked(call, kind, sequence, _Direction(index, reverse, activations[index]))
        for index, reverse in enumerate(directions)
    ]
    finals = [_final_state(call, sequence, [states[state] for _, states in walked]) for state in range(kind.states)]
    return (_all_outputs(call, sequence, [outputs for outputs, _ in walked], finals[0]), *finals)


def _sequence(call: Call) -> _Sequence:
    value = call.value(0)
    batch_first = bool(call.integer("layout", 0))
    layout = value.layout
    if not value.is_tensor or layout.folds or layout.order[-1] != 2:
        layout = Layout.identity(3)
    time, batch = (1, 0) if batch_first else (0, 1)
    if value.sizes[time] == 0:
        call.refuse("a sequence of no steps")
    tensor = call.trace.tensor(value, layout)
    return _Sequence(tensor, layout, value.sizes[time], value.sizes[batch], batch_first)


def _activations(call: Call, kind: _Kind, directions: int) -> list[tuple[Activation, ...]]:
    attribute = call.node.attributes.get("activations")
    names = list(attribute.as_strings()) if attribute is not None else list(kind.activations) * directions
    if unknown := [name for name in names if name.lower() not in _ACTIVATIONS]:
        call.refuse(f"the activation {unknown[0]!r}; expected Sigmoid, Tanh or Relu")
    count = len(kind.activations)
    if len(names) != count * directions:
        call.refuse(f"{len(names)} activations; expected {count} a direction, {count * directions} in all")
    functions = [_ACTIVATIONS[name.lower()] for name in names]
    return [tuple(functions[index * count :][:count]) for index in range(directions)]


def _walked(
    call: Call, kind: _Kind, sequence: _Sequence, direction: _Direction
) -> tuple[Tensor | None, tuple[Tensor, ...]]:
    """Every step's output as ``(time, batch, hidden)`` in the order of storage, and the last states."""
    index, reverse = direction.index, direction.reverse
    name = f"{call.node.name or call.node.outputs[0].name}.{'reverse' if reverse else 'forward'}"
    weights, bias = _weights(call, kind, index, name)
    projected = tf.matmul(sequence.data, _part(call, 1, index, f"{name}.W"), transpose_b=True)
    projected = projected if bias is None else projected + bias
    cell = kind.cell(weights, direction.activations)
    hidden = int(weights.matrix.shape[-1])
    states = tuple(_initial(call, sequence, 5 + state, index) for state in range(kind.states))
    steps = sequence.time if isinstance(sequence.time, int) else call.trace.scalar(sequence.time)
    weight_bytes = kind.gates * hidden * hidden * weights.matrix.dtype.size
    course = Course(sequence.time_axis, steps, reverse, steps_per_turn(steps, weight_bytes))
    lengths = _lengths(call, sequence)
    if not course.is_written_out or lengths is not None:
        zeros = [sequence.batch, hidden]
        states = tuple(_filled(call, zeros, projected.dtype) if state is None else state for state in states)
    sizes = [sequence.time, hidden]
    sizes.insert(1 - course.axis, sequence.batch)

    def room() -> Tensor:
        return _filled(call, sizes, projected.dtype)

    return walk(projected, states, _step(cell, lengths), course, room if call.is_used(0) else None)


def _step(cell: Cell, lengths: Tensor | None) -> Callable[..., tuple[Tensor, tuple[Tensor, ...]]]:
    """Past its end a sequence keeps its states and gives zeros."""

    def step(z: Tensor, states: tuple[Tensor | None, ...], time: Tensor | int) -> tuple[Tensor, tuple[Tensor, ...]]:
        after = cell(z, states)
        if lengths is None:
            return after[0], after
        runs = tf.expand_dims(time < lengths, -1)
        output = tf.where(runs, after[0], tf.zeros_like(after[0]))
        return output, tuple(tf.where(runs, new, old) for new, old in zip(after, states, strict=True))

    return step


def _weights(call: Call, kind: _Kind, index: int, name: str) -> tuple[StateWeights, Tensor | None]:
    """What the state is multiplied with, and the bias of the input's product."""
    matrix = tf.convert_to_tensor(_part(call, 2, index, f"{name}.R"))
    peepholes = None
    if call.has(7):
        peepholes = tuple(tf.split(tf.convert_to_tensor(_part(call, 7, index, f"{name}.P")), 3))
    if not call.has(3):
        return StateWeights(matrix, None, peepholes), None
    of_input, of_state = _biases(call, index)
    if kind.bias_apart:
        apart = tf.convert_to_tensor(_stored(call, of_state, f"{name}.Rb"))
        return StateWeights(matrix, apart, peepholes), _stored(call, of_input, f"{name}.Wb")
    return StateWeights(matrix, None, peepholes), _stored(call, of_input + of_state, f"{name}.B")


def _biases(call: Call, index: int) -> tuple[Array | Tensor, Array | Tensor]:
    known = call.constant(3)
    if known is not None:
        of_input, of_state = np.split(known[index], 2)
        return of_input, of_state
    of_input, of_state = tf.split(call.tensor(3)[index], 2)
    return of_input, of_state


def _part(call: Call, input_index: int, direction: int, name: str) -> Tensor:
    """One direction's weights."""
    known = call.constant(input_index)
    return call.tensor(input_index)[direction] if known is None else _stored(call, known[direction], name)


def _stored(call: Call, weights: Array | Tensor, name: str) -> Tensor:
    return call.trace.weight(name, weights) if isinstance(weights, np.ndarray) else weights


def _initial(call: Call, sequence: _Sequence, index: int, direction: int) -> Tensor | None:
    """``(batch, hidden)``, ``None`` for zeros."""
    known = call.constant(index)
    if not call.has(index) or (known is not None and not known.any()):
        return None
    state = call.tensor(index)
    return state[:, direction] if sequence.batch_first else state[direction]


def _lengths(call: Call, sequence: _Sequence) -> Tensor | None:
    """``None`` where every sequence is as long as the time axis."""
    known = call.constant(4)
    if not call.has(4) or (known is not None and (known == sequence.time).all()):
        return None
    return tf.cast(call.tensor(4), tf.int32)


def _filled(call: Call, sizes: list[Size], dtype: tf.DType) -> Tensor:
    zeros = tf.fill(call.trace.shape(sizes, infer_one=False), tf.zeros([], dtype))
    zeros.set_shape([None if isinstance(size, Dim) else size for size in sizes])
    return zeros


def _final_state(call: Call, sequence: _Sequence, states: list[Tensor]) -> Value:
    """``(directions, batch, hidden)``, or batch first."""
    return call.result(tf.stack(states, axis=1 if sequence.batch_first else 0))


def _all_outputs(call: Call, sequence: _Sequence, outputs: list[Tensor | None], unused: Value) -> Value:
    """``(time, directions, batch, hidden)``, or ``(batch, time, directions, hidden)``, as the input was stored."""
    if outputs[0] is None:
        return unused
    time_first_stored = sequence.time_axis == 0
    if sequence.batch_first:
        order = (1, 0, 2, 3) if time_first_stored else (0, 1, 2, 3)
    else:
        order = (0, 2, 1, 3) if time_first_stored else (2, 0, 1, 3)
    return call.result(tf.stack(outputs, axis=2), Layout(order))
