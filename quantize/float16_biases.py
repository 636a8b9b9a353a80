"""float16 biases beside float16 weights, edited in the unpacked flatbuffer.

The library leaves biases in float32. XNNPACK, LiteRT's CPU delegate, then refuses the op: it takes a convolution with
float16 weights only when its bias is float16 as well. A ResNet18 that it refuses takes three times as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_WEIGHT_AND_BIAS = {"CONV_2D": (1, 2), "DEPTHWISE_CONV_2D": (1, 2), "FULLY_CONNECTED": (1, 2), "TRANSPOSE_CONV": (1, 3)}
"""At which inputs an op has its weights and its bias."""

_CAST_VERSION = 3
"""Of DEQUANTIZE, since when it takes float16."""


def cast_biases(model: Any) -> None:
    """Store as float16 every bias of an op whose weights are; one that float16 cannot hold stays, its op slow."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    codes = [code.builtinCode for code in model.operatorCodes]
    if BuiltinOperator.DEQUANTIZE not in codes:
        return
    cast = codes.index(BuiltinOperator.DEQUANTIZE)
    model.operatorCodes[cast].version = max(_CAST_VERSION, model.operatorCodes[cast].version)
    places = {codes.index(kind): _WEIGHT_AND_BIAS[name] for name, kind in _kinds().items() if kind in codes}
    for graph in model.subgraphs:
        made = {int(each.outputs[0]) for each in graph.operators if each.opcodeIndex == cast}
        biases = dict.fromkeys(bias for bias in _biases(graph, places, made) if _fits(model, graph, bias))
        casts = [_cast_op(model, graph, bias, cast) for bias in biases]
        graph.operators = [*casts, *graph.operators]


def _kinds() -> dict[str, int]:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    return {name: getattr(BuiltinOperator, name) for name in _WEIGHT_AND_BIAS}


def _biases(graph: Any, places: Mapping[int, tuple[int, int]], made: set[int]) -> list[int]:
    """Bias tensors of ops whose weights come out of a cast."""
    found = []
    for operator in graph.operators:
        weight, bias = places.get(operator.opcodeIndex, (0, 0))
        if bias and len(operator.inputs) > bias and int(operator.inputs[weight]) in made and operator.inputs[bias] >= 0:
            found.append(int(operator.inputs[bias]))
    return found


def _fits(model: Any, graph: Any, bias: int) -> bool:
    """Whether it is a float32 constant without a value beyond float16's range."""
    from ai_edge_litert.schema_py_generated import TensorType

    tensor = graph.tensors[bias]
    data = model.buffers[tensor.buffer].data
    if tensor.type != TensorType.FLOAT32 or data is None:
        return False
    values = np.frombuffer(np.asarray(data, dtype=np.uint8), np.float32)
    return bool(np.abs(values).max(initial=0.0) <= np.finfo(np.float16).max)


def _cast_op(model: Any, graph: Any, bias: int, cast: int) -> Any:
    """A constant with half the bytes, and the op that makes the bias of it."""
    from ai_edge_litert.schema_py_generated import BufferT, OperatorT, QuantizationParametersT, TensorT, TensorType

    tensor = graph.tensors[bias]
    values = np.frombuffer(np.asarray(model.buffers[tensor.buffer].data, dtype=np.uint8), np.float32)
    stored = TensorT()
    stored.name, stored.shape, stored.hasRank = tensor.name + b"_float16", tensor.shape, tensor.hasRank
    stored.type, stored.buffer, stored.quantization = TensorType.FLOAT16, len(model.buffers), QuantizationParametersT()
    buffer = BufferT()
    buffer.data = values.astype(np.float16).view(np.uint8)
    model.buffers.append(buffer)
    graph.tensors.append(stored)
    tensor.buffer = 0
    operator = OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = cast, [len(graph.tensors) - 1], [bias]
    return operator
