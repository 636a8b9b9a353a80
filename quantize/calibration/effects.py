"""What becomes of a tensor's values in the ops that read them, where those are activation functions.

Below -3 hard-swish gives 0 and below -8 SiLU nearly so: what of a tensor only they read lies there need not be told
apart, nor be in its range. Errors are therefore counted after the function.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.runners.tflite_file import open_model, tensor_map
from verify.runners.tflite_inspect import opcode_names

Reals = npt.NDArray[np.float64]

_HALF_WIDTH = 1e-3
"""Of the central difference that stands for a derivative."""

_LEAST_VARIANCE = 1e-6
"""Normalisations add as much, or more, before they divide."""


class Effect(StrEnum):
    """The function that a tensor's readers come to."""

    IDENTITY = "identity"
    RELU = "relu"
    RELU6 = "relu6"
    SIGMOID = "sigmoid"
    TANH = "tanh"
    HARD_SWISH = "hard_swish"
    SILU = "silu"
    GELU = "gelu"
    NORMALISER = "normaliser"
    """A variance, whose root something is divided by: what counts is how large its error is beside it."""

    def values(self, inputs: Reals) -> Reals:
        """The function of each input."""
        return _FUNCTIONS[self](inputs)

    def slopes(self, inputs: Reals) -> Reals:
        """Its derivative at each input."""
        if self is Effect.NORMALISER:
            return 0.5 / np.maximum(inputs, _LEAST_VARIANCE)
        return (self.values(inputs + _HALF_WIDTH) - self.values(inputs - _HALF_WIDTH)) / (2 * _HALF_WIDTH)


def effects(model: Path) -> dict[int, Effect]:
    """The effect on tensors of the main subgraph, by index, that only activation functions read."""
    with open_model(model) as opened:
        names = opcode_names(opened)
        place = tensor_map(opened)
        graph = opened.Subgraphs(place.subgraph)
        readers: defaultdict[int, list[Any]] = defaultdict(list)
        for operator in map(graph.Operators, range(graph.OperatorsLength())):
            for index in range(operator.InputsLength()):
                readers[operator.Inputs(index)].append(operator)
        given = {at for _, at in place.outputs}
        found = {at: _effect([(names[op.OpcodeIndex()], op) for op in ops]) for at, ops in readers.items()}
        for at, (reader, *others) in readers.items():
            summed = not others and names[reader.OpcodeIndex()] == "ADD"
            if summed and found.get(reader.Outputs(0)) is Effect.NORMALISER:
                found[at] = Effect.NORMALISER  # the small number that keeps it from zero is added
    return {at: effect for at, effect in found.items() if effect is not Effect.IDENTITY and at not in given}


def _effect(readers: list[tuple[str, Any]]) -> Effect:
    kinds = sorted(name for name, _ in readers)
    if len(set(kinds)) == 1 and kinds[0] in _OPS:
        return _OPS[kinds[0]]
    if kinds == ["LOGISTIC", "MUL"]:
        gates = {operator.Outputs(0) for name, operator in readers if name == "LOGISTIC"}
        product = next(operator for name, operator in readers if name == "MUL")
        if gates & {product.Inputs(0), product.Inputs(1)}:
            return Effect.SILU
    return Effect.IDENTITY


_OPS = {
    "RELU": Effect.RELU,
    "RELU6": Effect.RELU6,
    "LOGISTIC": Effect.SIGMOID,
    "TANH": Effect.TANH,
    "HARD_SWISH": Effect.HARD_SWISH,
    "GELU": Effect.GELU,
    "RSQRT": Effect.NORMALISER,
}


def _sigmoid(inputs: Reals) -> Reals:
    share: Reals = 0.5 * (1.0 + np.tanh(0.5 * inputs))
    return share


_FUNCTIONS: dict[Effect, Callable[[Reals], Reals]] = {
    Effect.IDENTITY: lambda inputs: inputs,
    Effect.RELU: lambda inputs: np.maximum(inputs, 0.0),
    Effect.RELU6: lambda inputs: np.clip(inputs, 0.0, 6.0),
    Effect.SIGMOID: _sigmoid,
    Effect.TANH: np.tanh,
    Effect.HARD_SWISH: lambda inputs: inputs * np.clip(inputs + 3.0, 0.0, 6.0) / 6.0,
    Effect.NORMALISER: lambda inputs: 0.5 * np.log(np.maximum(inputs, _LEAST_VARIANCE)),
    Effect.SILU: lambda inputs: inputs * _sigmoid(inputs),
    Effect.GELU: lambda inputs: inputs * _sigmoid(2 * np.sqrt(2 / np.pi) * (inputs + 0.044715 * inputs**3)),
}
"""GELU by its tanh form, which is within 0.001 of the exact one: it only weighs errors."""
