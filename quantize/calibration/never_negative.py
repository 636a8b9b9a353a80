"""Tensors that hold no negative value, by what makes them: nobody needs to look for their smallest.

An int8 range holds zero whatever was seen, so zero does for the smallest value.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from verify.runners.tflite_file import open_model, tensor_map
from verify.runners.tflite_inspect import opcode_names

_OPS = frozenset({"RELU", "RELU6", "RELU_0_TO_1", "LOGISTIC", "SOFTMAX"})
_OPTIONS = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "ADD": "AddOptions",
    "MUL": "MulOptions",
}
"""Ops that can end in an activation function, and the table that says in which."""


def never_negative(model: Path) -> frozenset[int]:
    """Indices of such tensors in the main subgraph."""
    with open_model(model) as opened:
        names = opcode_names(opened)
        graph = opened.Subgraphs(tensor_map(opened).subgraph)
        return frozenset(
            int(operator.Outputs(0))
            for operator in map(graph.Operators, range(graph.OperatorsLength()))
            if names[operator.OpcodeIndex()] in _OPS or _ends_in_relu(names[operator.OpcodeIndex()], operator)
        )


def _ends_in_relu(name: str, operator: Any) -> bool:
    from ai_edge_litert import schema_py_generated as schema

    options = operator.BuiltinOptions()
    if name not in _OPTIONS or options is None:
        return False
    table = getattr(schema, _OPTIONS[name])()
    table.Init(options.Bytes, options.Pos)
    relus = schema.ActivationFunctionType.RELU, schema.ActivationFunctionType.RELU6
    return table.FusedActivationFunction() in relus
