"""Inspecting an ONNX file: its graph is parsed and its shapes inferred; weights in other files are not read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from verify.errors import ModelUnreadable
from verify.inspection.layers import kinds_of, macs_total, with_weights
from verify.inspection.onnx_graph import graphs_of, shapes_of
from verify.inspection.onnx_macs import node_macs
from verify.inspection.onnx_quantization import quantization_of
from verify.inspection.signatures import open_tensors
from verify.inspection.types import (
    SCHEMA_VERSION,
    Inspection,
    Layer,
    NamedSignature,
    Subgraph,
)
from verify.runners.onnx_runner import signature_of

_STANDARD_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_WITHOUT_WEIGHTS = frozenset({"Resize", "Upsample"})
_MODULE_SCOPES = "pkg.torch.onnx.name_scopes"


def inspect_onnx(path: Path) -> Inspection:
    """Job: what the file is made of; raises ``ModelUnreadable``."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load(str(path), load_external_data=False)
    except (OSError, DecodeError) as error:
        raise ModelUnreadable(
            f"{path} is no ONNX file: {type(error).__name__}: {error}", fix="it was cut off or damaged: copy it again"
        ) from error
    if not model.graph.node and not model.graph.output:
        raise ModelUnreadable(
            f"{path} is no ONNX file, or an empty one: it has no nodes and no outputs", fix="copy or export it again"
        )
    signature, quantization = signature_of(model.graph), quantization_of(model.graph)
    signatures = (NamedSignature("", signature.inputs, signature.outputs),)
    notes: list[str] = []
    shapes = shapes_of(model, notes)
    layers = tuple(_layers(model, shapes))
    return Inspection(
        schema_version=SCHEMA_VERSION,
        path=path.name,
        format="ONNX",
        bytes=path.stat().st_size,
        signatures=signatures,
        ops=kinds_of(layers),
        parameters=sum(layer.parameters for layer in layers),
        weight_bytes=sum(layer.weight_bytes for layer in layers),
        macs=macs_total(layers, "batch 1"),
        layers=with_weights(layers),
        quantization=quantization,
        custom_ops=_custom(model),
        dynamic_tensors=open_tensors(signatures),
        subgraphs=tuple(_graph(graph) for graph in graphs_of(model)),
        metadata=tuple(_metadata(model)),
        notes=(*notes, *_external(model)),
    )


def _layers(model: Any, shapes: dict[str, tuple[int | None, ...]]) -> Iterator[Layer]:
    counted: set[tuple[int, str]] = set()
    local = {function.name for function in model.functions}
    for at, graph in enumerate(graphs_of(model)):
        weights = {tensor.name: tensor for tensor in graph.initializer}
        for index, node in enumerate(graph.node):
            own = [weights[name] for name in dict.fromkeys(node.input) if name in weights and (at, name) not in counted]
            learnt = [tensor for tensor in own if _is_weight(tensor) and node.op_type not in _WITHOUT_WEIGHTS]
            counted |= {(at, tensor.name) for tensor in learnt}
            yield Layer(
                subgraph=at,
                index=index,
                op=node.op_type if node.domain in _STANDARD_DOMAINS else f"{node.domain}.{node.op_type}",
                name=node.name or next(iter(node.output), ""),
                modules=_modules(node),
                parameters=sum(math.prod(tensor.dims) for tensor in learnt),
                weight_bytes=sum(_bytes(tensor) for tensor in learnt),
                macs=None if node.op_type in local else node_macs(node, shapes),
            )


def _is_weight(tensor: Any) -> bool:
    """Integers of 32 and 64 bits are sizes and axes, scalars are bounds and slopes."""
    import onnx

    sizes = {onnx.TensorProto.INT32, onnx.TensorProto.INT64, onnx.TensorProto.BOOL, onnx.TensorProto.STRING}
    return tensor.data_type not in sizes and len(tensor.dims) > 0


def _bytes(tensor: Any) -> int:
    from onnx import TensorProto, helper

    four_bits = {TensorProto.INT4, TensorProto.UINT4, getattr(TensorProto, "FLOAT4E2M1", -1)}
    elements: int = math.prod(tensor.dims)
    if tensor.data_type in four_bits:
        return (elements + 1) // 2
    return elements * int(helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)


def _modules(node: Any) -> tuple[str, ...]:
    """``features.0.1``, where torch's newer exporter left it."""
    import ast

    written = next((entry.value for entry in node.metadata_props if entry.key == _MODULE_SCOPES), "")
    try:
        scopes = ast.literal_eval(written) if written else []
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return ()
    return (str(scopes[-2]),) if isinstance(scopes, list) and len(scopes) > 1 and scopes[-2] else ()


def _custom(model: Any) -> tuple[tuple[str, int], ...]:
    local = {(function.domain, function.name) for function in model.functions}
    found = Counter(
        f"{node.domain}.{node.op_type}"
        for graph in graphs_of(model)
        for node in graph.node
        if node.domain not in _STANDARD_DOMAINS and (node.domain, node.op_type) not in local
    )
    return tuple(found.most_common())


def _graph(graph: Any) -> Subgraph:
    weights = {tensor.name for tensor in graph.initializer}
    tensors = weights | {name for node in graph.node for name in (*node.input, *node.output) if name}
    inputs = sum(value.name not in weights for value in graph.input)
    return Subgraph(graph.name or "graph", len(graph.node), len(tensors), inputs, len(graph.output))


def _metadata(model: Any) -> Iterator[tuple[str, str]]:
    for opset in model.opset_import:
        yield f"opset {opset.domain}".strip(), str(opset.version)
    yield "IR version", str(model.ir_version)
    if model.producer_name:
        yield "producer", f"{model.producer_name} {model.producer_version}".strip()
    for entry in model.metadata_props:
        yield entry.key, entry.value if len(entry.value) <= 80 else f"{len(entry.value)} characters"


def _external(model: Any) -> Iterator[str]:
    files = {
        entry.value
        for graph in graphs_of(model)
        for tensor in graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    if files:
        yield f"weights lie in other files: {', '.join(sorted(files)[:3])}"
