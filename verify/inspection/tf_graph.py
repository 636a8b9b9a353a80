"""Inspecting TensorFlow's graphs: a frozen ``.pb`` and a SavedModel folder.

Their protocol buffers are parsed with the message classes that tensorboard ships, which comes with TensorFlow and
imports none of it: nothing is loaded, traced or run.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from verify.errors import ModelUnreadable
from verify.inspection.layers import kinds_of, with_weights
from verify.inspection.signatures import Permutations, declared_permutations, open_tensors
from verify.inspection.tf_nodes import VARIABLES, bodies, dims, dtype_name, graph_node, layers, unread
from verify.inspection.tf_saved_model import meta_graphs
from verify.inspection.types import SCHEMA_VERSION, Inspection, NamedSignature, Subgraph, TensorflowGraph
from verify.modules import Modules, modules_in
from verify.signature import TensorSpec

_SAVING = "__inference__traced_"


def inspect_graph_def(path: Path) -> Inspection:
    """Job: what a frozen graph holds; raises ``ModelUnreadable``."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    graph = GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise ModelUnreadable(
            f"{path} is no TensorFlow graph: {error}",
            fix="check that it is a whole frozen GraphDef; a saved_model.pb is opened by the folder that it lies in",
        ) from error
    if not graph.node or not all(node.name and node.op for node in graph.node):
        raise ModelUnreadable(f"{path} is no TensorFlow graph: it has no nodes, or nodes without a name or an op")
    return _inspect(path, "TensorFlow graph", graph, Modules())


def inspect_saved_model(path: Path) -> Inspection:
    """Job: what a SavedModel folder holds; raises ``ModelUnreadable``."""
    metas = meta_graphs(path / "saved_model.pb")
    meta = next((one for one in metas if "serve" in one.meta_info_def.tags), metas[0])
    notes: list[str] = []
    permutations = declared_permutations(path, notes)
    signatures = tuple(
        NamedSignature(key, _specs(signature.inputs, permutations), _specs(signature.outputs, permutations))
        for key, signature in sorted(meta.signature_def.items())
        if not key.startswith("__")
    )
    metadata = (
        ("TensorFlow", meta.meta_info_def.tensorflow_version),
        ("tags", ", ".join(meta.meta_info_def.tags)),
    )
    graph = _without_saving(meta.graph_def, meta.saver_def)
    found = _inspect(path, "SavedModel", graph, modules_in(path))
    return replace(
        found,
        signatures=signatures,
        dynamic_tensors=open_tensors(signatures),
        metadata=metadata,
        notes=(*notes, *found.notes),
    )


def _without_saving(graph: Any, saver: Any) -> Any:
    """The graph without the functions and nodes that write and read the weights' files."""
    saving = {function.signature.name for function in graph.library.function if _SAVING in function.signature.name}
    kept = [
        node
        for node in graph.node
        if node.attr["f"].func.name not in saving and node.name != saver.filename_tensor_name.partition(":")[0]
    ]
    functions = [function for function in graph.library.function if function.signature.name not in saving]
    left = type(graph)(node=kept)
    left.library.function.extend(functions)
    return left


def _inspect(path: Path, kind: str, graph: Any, modules: Modules) -> Inspection:
    functions = bodies(graph)
    found = [layer for at, (_, nodes) in enumerate(functions) for layer in layers(at, nodes, modules)]
    return Inspection(
        schema_version=SCHEMA_VERSION,
        path=path.name,
        format=kind,
        bytes=sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file()),
        ops=kinds_of(found),
        parameters=sum(layer.parameters for layer in found),
        weight_bytes=sum(layer.weight_bytes for layer in found),
        layers=with_weights(found),
        subgraphs=tuple(Subgraph(name, len(nodes), len(nodes), 0, 0) for name, nodes in functions),
        graph=TensorflowGraph(
            nodes=len(graph.node),
            placeholders=tuple(graph_node(node) for node in graph.node if node.op == "Placeholder"),
            candidate_outputs=tuple(graph_node(node) for node in unread(graph)),
            variables=sum(node.op in VARIABLES for node in graph.node),
            functions=len(graph.library.function),
        ),
        notes=("multiply-accumulates are not counted: a TensorFlow graph does not hold its tensors' shapes",),
    )


def _specs(tensors: Any, permutations: Permutations) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name, dtype_name(info.dtype), dims(info.tensor_shape, name), permutations.get(name))
        for name, info in sorted(tensors.items())
    )
