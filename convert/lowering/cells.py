"""One step of ONNX's RNN, GRU and LSTM. A state that is ``None`` is zero, so its terms are left out.

``z`` is the step's input times the input weights plus bias, for all gates: ``(batch, gates·hidden)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from convert.layout.value import Tensor

Activation = Callable[[Tensor], Tensor]
Cell = Callable[[Tensor, "tuple[Tensor | None, ...]"], "tuple[Tensor, ...]"]
"""(z, states) → states; the first one is the step's output."""


@dataclass(frozen=True)
class StateWeights:
    """What a direction multiplies its state with: ``(gates·hidden, hidden)``, and a bias where it stands apart."""

    matrix: Tensor
    bias: Tensor | None = None
    peepholes: tuple[Tensor, Tensor, Tensor] | None = None
    """Of the input, output and forget gates, each ``(hidden,)``."""

    def times(self, state: Tensor) -> Tensor:
        """``(batch, gates·hidden)``."""
        product = tf.matmul(state, self.matrix, transpose_b=True)
        return product if self.bias is None else product + self.bias


def rnn_cell(weights: StateWeights, activations: tuple[Activation, ...]) -> Cell:
    """``h = f(z + h·R')``."""
    (f,) = activations

    def step(z: Tensor, states: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
        return (f(z if states[0] is None else z + weights.times(states[0])),)

    return step


def lstm_cell(weights: StateWeights, activations: tuple[Activation, ...]) -> Cell:
    """Gates in ONNX's order: input, output, forget, cell."""
    f, g, h = activations

    def step(z: Tensor, states: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
        hidden, cell = states
        z = z if hidden is None else z + weights.times(hidden)
        into, out, forget, candidate = tf.split(z, 4, axis=-1)
        if weights.peepholes is not None and cell is not None:
            into, forget = into + weights.peepholes[0] * cell, forget + weights.peepholes[2] * cell
        fresh = f(into) * g(candidate)
        cell = fresh if cell is None else f(forget) * cell + fresh
        if weights.peepholes is not None:
            out = out + weights.peepholes[1] * cell
        return f(out) * h(cell), cell

    return step


def gru_cell(weights: StateWeights, activations: tuple[Activation, ...]) -> Cell:
    """``linear_before_reset=0``: the reset gate scales the state before the product. ``z`` has every bias."""
    f, g = activations
    hidden_size = weights.matrix.shape[-1]

    def step(z: Tensor, states: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
        (hidden,) = states
        if hidden is None:
            update, _, candidate = tf.split(z, 3, axis=-1)
            return (_mixed(f(update), g(candidate), None),)
        of_gates, candidate = z[:, : 2 * hidden_size], z[:, 2 * hidden_size :]
        of_gates = of_gates + tf.matmul(hidden, weights.matrix[: 2 * hidden_size], transpose_b=True)
        update, reset = tf.split(f(of_gates), 2, axis=-1)
        candidate = candidate + tf.matmul(reset * hidden, weights.matrix[2 * hidden_size :], transpose_b=True)
        return (_mixed(update, g(candidate), hidden),)

    return step


def gru_cell_linear_before_reset(weights: StateWeights, activations: tuple[Activation, ...]) -> Cell:
    """``linear_before_reset=1``, as torch has it: the reset gate scales the product, which has a bias of its own."""
    f, g = activations

    def step(z: Tensor, states: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
        (hidden,) = states
        update, reset, candidate = tf.split(z, 3, axis=-1)
        if hidden is not None:
            of_state = tf.split(weights.times(hidden), 3, axis=-1)
        elif weights.bias is not None:
            of_state = tf.split(weights.bias, 3, axis=-1)
        else:
            return (_mixed(f(update), g(candidate), None),)
        update, reset = f(update + of_state[0]), f(reset + of_state[1])
        return (_mixed(update, g(candidate + reset * of_state[2]), hidden),)

    return step


def _mixed(update: Tensor, candidate: Tensor, hidden: Tensor | None) -> Tensor:
    """``(1 - update)·candidate + update·hidden`` with one product, as torch computes it."""
    return candidate - update * candidate if hidden is None else candidate + update * (hidden - candidate)
