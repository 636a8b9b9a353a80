"""The graphs of an ONNX model and the shapes of their tensors, as far as shape inference gets."""

from __future__ import annotations

from typing import Any

from verify.signature import BATCH

_LARGEST_SIZES_BYTES = 4096
"""Constants up to there may be sizes that shape inference has to read."""


def graphs_of(model: Any) -> list[Any]:
    """The main graph and the bodies of loops and branches, however deep."""
    found, waiting = [], [model.graph]
    while waiting:
        graph = waiting.pop(0)
        found.append(graph)
        for node in graph.node:
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += list(attribute.graphs)
    return found


def shapes_of(model: Any, notes: list[str]) -> dict[str, tuple[int | None, ...]]:
    """Of every tensor at batch 1; a size that is not known is ``None``. Empties the weights of ``model``."""
    import onnx

    for graph in graphs_of(model):
        for tensor in graph.initializer:
            if len(tensor.raw_data) > _LARGEST_SIZES_BYTES:
                tensor.ClearField("raw_data")
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    for value in sized.graph.input:
        dims = value.type.tensor_type.shape.dim
        if dims and not dims[0].HasField("dim_value") and dims[0].dim_param in {"", _batch_name(model)}:
            dims[0].dim_value = 1
    for value in (*sized.graph.output, *sized.graph.value_info):
        value.type.tensor_type.ClearField("shape")
    del sized.graph.value_info[:]
    try:
        inferred = onnx.shape_inference.infer_shapes(sized, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        notes.append(f"shapes could not be inferred, so multiply-accumulates are not known: {error}".splitlines()[0])
        inferred = sized
    shapes: dict[str, tuple[int | None, ...]] = {
        tensor.name: tuple(tensor.dims) for graph in graphs_of(model) for tensor in graph.initializer
    }
    for graph in graphs_of(inferred):
        for value in (*graph.input, *graph.output, *graph.value_info):
            tensor = value.type.tensor_type
            if tensor.HasField("shape"):
                shapes.setdefault(
                    value.name, tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim)
                )
    return shapes


def _batch_name(model: Any) -> str:
    """What the first input calls its first axis; inputs that share it get the same size."""
    first = next((value for value in model.graph.input if value.type.tensor_type.shape.dim), None)
    return first.type.tensor_type.shape.dim[0].dim_param if first is not None else BATCH
