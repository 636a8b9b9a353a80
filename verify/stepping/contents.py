"""Names of ops and tensors of an unpacked model, and its constants: reading and replacing them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


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
    """A constant's values; ``None`` for an activation, a missing tensor, or one of another type.

    Those of int4 tensors are int8.
    """
    from ai_edge_litert.schema_py_generated import TensorType

    kinds = {np.float32: "FLOAT32", np.int8: "INT8", np.int32: "INT32", np.int64: "INT64"}
    halves = dtype is np.int8 and is_int4(graph, at)
    if at < 0 or (graph.tensors[at].type != getattr(TensorType, kinds[dtype]) and not halves):
        return None
    data = model.buffers[graph.tensors[at].buffer].data
    if data is None or not len(data):
        return None
    shape = graph.tensors[at].shape
    values: Array = np.frombuffer(np.asarray(data, np.uint8), dtype)
    if halves:
        values = _from_halves(values)[: int(np.prod(shape))]
    return values.reshape(() if shape is None else shape)


def is_int4(graph: Any, at: int) -> bool:
    """Whether a tensor is stored in half bytes."""
    from ai_edge_litert.schema_py_generated import TensorType

    return at >= 0 and bool(graph.tensors[at].type == TensorType.INT4)


def replace_constant(model: Any, graph: Any, at: int, values: Array) -> None:
    """Give a tensor a buffer of its own with these values, int8 ones of -8 to 7 for an int4 tensor."""
    from ai_edge_litert.schema_py_generated import BufferT

    buffer = BufferT()
    flat = np.ascontiguousarray(values).reshape(-1)
    buffer.data = (_to_halves(flat) if is_int4(graph, at) else flat).view(np.uint8)
    model.buffers.append(buffer)
    graph.tensors[at].buffer = len(model.buffers) - 1


def _from_halves(stored: Array) -> Array:
    """Two numbers a byte, the first in its lower half, each with a sign."""
    halves: Array = np.stack([stored << 4, stored], axis=1).reshape(-1) >> 4
    return halves


def _to_halves(values: Array) -> Array:
    even = np.append(values, np.zeros(len(values) % 2, np.int8)).astype(np.uint8)
    halves: Array = (even[0::2] & 0x0F) | (even[1::2] << 4)
    return halves
