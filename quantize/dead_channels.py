"""Channels whose weights are (almost) all zero but whose bias is not: pruned ones, or a batch norm that closed them.

A bias is stored as int32 in units of input scale × weight scale. Where a channel's weights vanish, so does that unit,
the bias no longer fits, and the quantizer library refuses the whole model. Such a channel's weight range is widened
just far enough: with K weights a channel its result moves by less than K × 255 / 2^30 of the bias.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quantize.constants import Floats, float_constant
from quantize.recipe import OpRule, PerChannel, TensorRange
from verify.runners.tflite_file import open_model, tensor_map
from verify.runners.tflite_inspect import opcode_names

_FITS_INT32 = 0.9 * 2**31
"""A little less than int32 holds: activation functions with a fixed scale differ from their range's by under 1 %."""
_WIDENED_TO = 2**29


@dataclass(frozen=True)
class WidenedWeights:
    """``bound`` is the largest magnitude each channel's weights are given room for, (1, …, channels, …, 1)."""

    tensor: str
    bound: Floats
    widened_channels: int


@dataclass(frozen=True)
class _Operands:
    """Tensor indices of an op with weights and a bias, and the axis its channels run along."""

    activation: int
    weights: int
    bias: int
    axis: int


def widened_weights(
    model: Path, ops: Collection[OpRule], ranges: Collection[TensorRange]
) -> tuple[WidenedWeights, ...]:
    """Weights that need wider ranges than their values have, given the activations' ranges; usually none."""
    widest = {each.tensor: max(each.high, 0.0) - min(each.low, 0.0) for each in ranges}
    found: dict[str, WidenedWeights] = {}
    with open_model(model) as opened:
        graph = opened.Subgraphs(tensor_map(opened).subgraph)
        for operands in _with_bias(opened, graph, ops):
            activation = graph.Tensors(operands.activation).Name().decode()
            if activation in widest:
                weights = _widened(opened, graph, operands, input_scale=max(widest[activation], 1e-9) / 255)
                if weights is not None:
                    found[weights.tensor] = weights
    return tuple(found.values())


def _with_bias(model: Any, graph: Any, ops: Collection[OpRule]) -> Iterator[_Operands]:
    axes = {
        rule.op: rule.weights.granularity.axis
        for rule in ops
        if rule.weights is not None and isinstance(rule.weights.granularity, PerChannel)
    }
    names = opcode_names(model)
    for operator in map(graph.Operators, range(graph.OperatorsLength())):
        name = names[operator.OpcodeIndex()]
        activation, weights, bias = (2, 1, 3) if name == "TRANSPOSE_CONV" else (0, 1, 2)
        axis = axes.get("CONV_2D_TRANSPOSE" if name == "TRANSPOSE_CONV" else name)
        if axis is not None and operator.InputsLength() > bias and operator.Inputs(bias) >= 0:
            yield _Operands(operator.Inputs(activation), operator.Inputs(weights), operator.Inputs(bias), axis)


def _widened(model: Any, graph: Any, operands: _Operands, input_scale: float) -> WidenedWeights | None:
    weights, bias = float_constant(model, graph, operands.weights), float_constant(model, graph, operands.bias)
    if weights is None or bias is None:
        return None
    others = tuple(axis for axis in range(weights.ndim) if axis != operands.axis)
    bound = np.maximum(weights.max(axis=others, keepdims=True), -weights.min(axis=others, keepdims=True))
    magnitude = np.abs(bias).reshape(bound.shape)
    overflowing = magnitude > _FITS_INT32 * input_scale * (np.maximum(bound, 1e-9) / 127)
    if not overflowing.any():
        return None
    room = (magnitude * (127 / (_WIDENED_TO * input_scale))).astype(np.float32)
    name = graph.Tensors(operands.weights).Name().decode()
    return WidenedWeights(name, np.where(overflowing, room, bound), int(overflowing.sum()))
