"""Weights and multiply-accumulates of a ``.tflite`` file, op by op."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from verify.inspection.tflite_graph import Operand, Operator, unpacks_a_constant
from verify.inspection.types import Layer
from verify.modules import Modules
from verify.runners.tflite_macs import operator_macs

_MULTIPLY = frozenset({"CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL"})
_MULTIPLY_WITHOUT_FORMULA = frozenset(
    {
        "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "CONV_3D_TRANSPOSE", "LSTM", "RNN", "SVDF",
        "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "STABLEHLO_CONVOLUTION",
        "STABLEHLO_DOT_GENERAL", "STABLEHLO_COMPOSITE", "WHILE",
    }
)  # fmt: skip


def layers_of(model: Any, operators: Sequence[Operator], modules: Modules) -> tuple[Layer, ...]:
    """Every op, in order. Weights that an op unpacks (float16, sparse) count for the op that reads them unpacked."""
    unpacked = {
        (operator.subgraph, operator.outputs[0].index): operator.weights
        for operator in operators
        if unpacks_a_constant(operator)
    }
    counted: set[int] = set()
    layers = []
    for operator in operators:
        stored = () if unpacks_a_constant(operator) else _stored_weights(operator, unpacked)
        own = [weight for weight in stored if weight.buffer not in counted]
        counted |= {weight.buffer for weight in own}
        layers.append(
            Layer(
                subgraph=operator.subgraph,
                index=operator.index,
                op=operator.op,
                name=operator.name,
                modules=modules.of_tensor(operator.name),
                parameters=sum(math.prod(weight.shape) for weight in own),
                weight_bytes=sum(weight.constant_bytes for weight in own),
                macs=macs_of(model, operator),
            )
        )
    return tuple(layers)


def macs_of(model: Any, operator: Operator) -> int | None:
    """Of one op at the sizes that the file was made with; ``None`` where they cannot be told."""
    if operator.op in _MULTIPLY_WITHOUT_FORMULA:
        return None
    if operator.op not in _MULTIPLY:
        return 0
    graph = model.Subgraphs(operator.subgraph)
    try:
        return operator_macs(operator.op, graph, graph.Operators(operator.index))
    except IndexError:  # a tensor without a rank
        return None


def _stored_weights(operator: Operator, unpacked: dict[tuple[int, int], tuple[Operand, ...]]) -> tuple[Operand, ...]:
    through = [
        weight
        for tensor in operator.inputs
        if tensor is not None
        for weight in unpacked.get((operator.subgraph, tensor.index), ())
    ]
    return (*operator.weights, *through)
