"""How many roundings lie behind each output of an ONNX graph."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from verify.errors import ModelUnreadable
from verify.rounding.ancestry import CountedOp, Uncountable, roundings_of
from verify.rounding.bound import Roundings
from verify.rounding.onnx_ops import Node, Shape, op_roundings

_SMALL = 1024
"""Elements: initializers above are weights, whose values no shape depends on."""


def onnx_roundings(path: Path, sizes: Mapping[str, Shape]) -> tuple[Roundings, ...]:
    """Of every output, for inputs of those sizes (by name); raises ``ModelUnreadable`` when the file is no ONNX."""
    model = _load(path)
    ops = [_counted(node) for node in _nodes(model, sizes)]
    return roundings_of(ops, ((output.name, output.name) for output in model.graph.output))


def graph_nodes(path: Path, sizes: Mapping[str, Shape]) -> Iterator[Node]:
    """The ops of the main graph with what is known of their sizes."""
    return _nodes(_load(path), sizes)


def _load(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load(str(path), load_external_data=False)
    except (OSError, DecodeError) as error:
        raise ModelUnreadable(f"{path} is no ONNX file: {type(error).__name__}: {error}") from error
    return onnx.inliner.inline_local_functions(model) if model.functions else model


def _nodes(model: Any, sizes: Mapping[str, Shape]) -> Iterator[Node]:
    import onnx

    shapes = _shapes(model, sizes)
    for proto in model.graph.node:
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in proto.attribute}
        op = proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}"
        yield Node(op, tuple(proto.input), tuple(proto.output), attributes, shapes)


def _counted(node: Node) -> CountedOp:
    try:
        return CountedOp(node.inputs, node.outputs, op_roundings(node))
    except Uncountable as reason:
        return CountedOp(node.inputs, node.outputs, None, str(reason))


def _shapes(model: Any, sizes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Of every tensor whose sizes follow from the inputs'. Large weights stand as inputs: no copy of their values."""
    import onnx

    lean = onnx.ModelProto()
    lean.ir_version = model.ir_version
    lean.opset_import.extend(model.opset_import)
    graph = lean.graph
    graph.name = model.graph.name
    graph.node.extend(model.graph.node)
    weights = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        if value.name not in weights:
            graph.input.add().CopyFrom(_sized(value, sizes.get(value.name)))
    for output in model.graph.output:
        graph.output.append(onnx.helper.make_tensor_value_info(output.name, output.type.tensor_type.elem_type, None))
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) > _SMALL:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
        else:
            graph.initializer.append(tensor)
    inferred = onnx.shape_inference.infer_shapes(lean, data_prop=True).graph
    values = (*inferred.input, *inferred.value_info, *inferred.output)
    shapes = {value.name: shape for value in values if (shape := _static(value)) is not None}
    return shapes | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def _sized(value: Any, shape: Shape | None) -> Any:
    import onnx

    if shape is None:
        return value
    return onnx.helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, list(shape))


def _static(value: Any) -> Shape | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    dims = [int(dim.dim_value) if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    return None if None in dims else tuple(dim for dim in dims if dim is not None)
