"""Reading and replacing weights of an unpacked model, float or int8."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Weighted:
    """A convolution, depthwise convolution or fully connected layer whose weights are constants.

    Tensors are given by their index, ``bias`` is -1 where there is none. ``shared`` weights or biases serve other ops
    as well. Weights are (out, h, w, in / groups), depthwise (1, h, w, in × multiplier), fully connected (out, in).
    """

    kind: str
    operator: Any
    input: int
    weights: int
    bias: int
    output: int
    input_channels: int
    shared: bool


@functools.cache
def _op_names() -> dict[int, str]:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    return {value: name for name, value in vars(BuiltinOperator).items() if isinstance(value, int)}


def name_of_op(model: Any, operator: Any) -> str:
    """``CONV_2D`` …"""
    code = model.operatorCodes[operator.opcodeIndex]
    return _op_names()[max(int(code.builtinCode), int(code.deprecatedBuiltinCode))]


def name_of(tensor: Any) -> str:
    """A tensor's name, also of one that the quantizer library has just made."""
    name = tensor.name or ""
    return name if isinstance(name, str) else str(name.decode())


def constant(model: Any, graph: Any, at: int, dtype: Any = np.float32) -> Array | None:
    """A constant's values; ``None`` for an activation, a missing tensor, or one of another type."""
    from ai_edge_litert.schema_py_generated import TensorType

    kinds = {np.float32: "FLOAT32", np.int8: "INT8", np.int32: "INT32", np.int64: "INT64"}
    if at < 0 or graph.tensors[at].type != getattr(TensorType, kinds[dtype]):
        return None
    data = model.buffers[graph.tensors[at].buffer].data
    if data is None or not len(data):
        return None
    shape = graph.tensors[at].shape
    return np.frombuffer(np.asarray(data, np.uint8), dtype).reshape(() if shape is None else shape)


def replace_constant(model: Any, graph: Any, at: int, values: Array) -> None:
    """Give a tensor a buffer of its own with these values."""
    from ai_edge_litert.schema_py_generated import BufferT

    buffer = BufferT()
    buffer.data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    model.buffers.append(buffer)
    graph.tensors[at].buffer = len(model.buffers) - 1


def buffer_readers(graph: Any) -> Counter[int]:
    """How many inputs of ops each buffer serves, be it through several tensors."""
    read = (graph.tensors[at] for operator in graph.operators for at in operator.inputs if at >= 0)
    return Counter(int(tensor.buffer) for tensor in read)


def weighted_op(model: Any, graph: Any, operator: Any, readers: Mapping[int, int]) -> Weighted | None:
    """The op as one with weights; ``None`` if it is no such op, or its weights or bias are no constants.

    ``readers`` are the graph's :func:`buffer_readers`.
    """
    kind = name_of_op(model, operator)
    if kind not in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}:
        return None
    taken = [int(at) for at in operator.inputs]
    source, weights, bias = taken[0], taken[1], taken[2] if len(taken) > 2 else -1
    shape = graph.tensors[weights].shape
    if not _is_constant(model, graph, weights) or (bias >= 0 and not _is_constant(model, graph, bias)):
        return None
    entering = graph.tensors[source].shape
    return Weighted(
        kind=kind,
        operator=operator,
        input=source,
        weights=weights,
        bias=bias,
        output=int(operator.outputs[0]),
        input_channels=int(shape[-1]) if kind == "FULLY_CONNECTED" else int(entering[-1]),
        shared=any(readers[graph.tensors[at].buffer] > 1 for at in (weights, bias) if at >= 0),
    )


def _is_constant(model: Any, graph: Any, at: int) -> bool:
    data = model.buffers[graph.tensors[at].buffer].data
    return data is not None and len(data) > 0
