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
