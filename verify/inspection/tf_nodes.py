"""The nodes of a TensorFlow graph: what they store, what may be fed and fetched."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from verify.inspection.types import GraphNode, Layer
from verify.modules import Modules
from verify.signature import BATCH, Dim

_NOT_OUTPUTS = frozenset({"Const", "Placeholder", "NoOp", "VarHandleOp", "Assert", "VariableV2", "ReadVariableOp"})
VARIABLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})


def bodies(graph: Any) -> list[tuple[str, Any]]:
    """``(name, nodes)`` of the main graph and of each function."""
    main = [("main", graph.node)]
    return main + [(function.signature.name, function.node_def) for function in graph.library.function]


def layers(at: int, nodes: Any, modules: Modules) -> Iterator[Layer]:
    """The nodes of one body, ``at`` its number."""
    for index, node in enumerate(nodes):
        parameters, size = _stored(node)
        yield Layer(
            subgraph=at,
            index=index,
            op=node.op,
            name=_variable_name(node),
            modules=modules.of_tensor(node.name),
            parameters=parameters,
            weight_bytes=size,
        )


def _stored(node: Any) -> tuple[int, int]:
    """Elements and bytes of a floating-point constant or variable; integers are sizes and axes."""
    if node.op == "Const":
        tensor = node.attr["value"].tensor
        dtype, shape = tensor.dtype, tensor.tensor_shape
    elif node.op in VARIABLES:
        dtype, shape = node.attr["dtype"].type, node.attr["shape"].shape
    else:
        return 0, 0
    name = dtype_name(dtype)
    if name not in _ITEM_BYTES or shape.unknown_rank or not shape.dim or any(dim.size < 0 for dim in shape.dim):
        return 0, 0
    elements = math.prod(dim.size for dim in shape.dim)
    return elements, elements * _ITEM_BYTES[name]


_ITEM_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int8": 1, "uint8": 1, "qint8": 1, "quint8": 1}


def _variable_name(node: Any) -> str:
    shared = node.attr["shared_name"].s if node.op == "VarHandleOp" else b""
    return shared.decode("utf-8", "replace") or node.name


def unread(graph: Any) -> list[Any]:
    """Nodes that no other node reads: where a frozen graph's outputs are to be looked for."""
    read = {name.lstrip("^").split(":")[0] for node in graph.node for name in node.input}
    return [node for node in graph.node if node.name not in read and node.op not in _NOT_OUTPUTS]


def graph_node(node: Any) -> GraphNode:
    """A node as something to feed or to fetch."""
    dtype = next((node.attr[key].type for key in ("dtype", "T", "DstT", "output_type") if key in node.attr), 0)
    shape = node.attr["shape"].shape if "shape" in node.attr else None
    if "_output_shapes" in node.attr and node.attr["_output_shapes"].list.shape:
        shape = node.attr["_output_shapes"].list.shape[0]
    known = shape is not None and not shape.unknown_rank
    return GraphNode(node.name, node.op, dtype_name(dtype) if dtype else "", dims(shape, node.name) if known else None)


def dims(shape: Any, name: str) -> tuple[Dim, ...]:
    """A ``TensorShapeProto`` of known rank, its open axes named after tensor and axis."""
    return tuple(
        int(dim.size) if dim.size >= 0 else BATCH if axis == 0 else f"{name}_{axis}"
        for axis, dim in enumerate(shape.dim)
    )


def dtype_name(number: int) -> str:
    """TensorFlow's ``DT_FLOAT`` as numpy names it."""
    from tensorboard.compat.proto.types_pb2 import DataType

    name = DataType.Name(number).removeprefix("DT_").lower() if number in DataType.values() else f"type {number}"
    return {"float": "float32", "double": "float64", "half": "float16"}.get(name, name)
