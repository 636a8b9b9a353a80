"""How many rows the tables have that an integer input indexes: what it may hold, where only the file can tell.

An input counts as an index where a Gather or an embedding takes it, as it is or after ops that keep its values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verify.artifact import Artifact, Format

_ONNX_KEEPS = frozenset({"Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Transpose", "Expand"})
_TFLITE_KEEPS = frozenset({"CAST", "RESHAPE", "EXPAND_DIMS", "SQUEEZE", "TRANSPOSE", "BROADCAST_TO"})
_TFLITE_CHOOSES = frozenset({"SELECT", "SELECT_V2"})
"""Take a condition first, which is no index: how a negative index is wrapped."""


@dataclass(frozen=True)
class Vocabulary:
    """An input, and the rows of the smallest table that it indexes."""

    name: str
    rows: int


@dataclass(frozen=True)
class _Lookup:
    """Tensors by name or number: ``index`` picks among ``rows``."""

    index: object
    rows: int


def vocabularies(*, artifact: Artifact) -> tuple[Vocabulary, ...]:
    """Job: of the inputs of an ONNX or TFLite file, by its own names; empty for other formats."""
    if artifact.format is Format.ONNX:
        return _onnx(artifact.path)
    return _tflite(artifact.path) if artifact.format is Format.TFLITE else ()


def _onnx(path: Path) -> tuple[Vocabulary, ...]:
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.value_info, *graph.input):
        shapes.setdefault(value.name, [dim.dim_value for dim in value.type.tensor_type.shape.dim])
    sources: dict[object, tuple[object, ...]] = {}
    lookups = []
    for node in graph.node:
        if node.op_type in _ONNX_KEEPS:
            sources[node.output[0]] = (node.input[0],)
        elif node.op_type == "Gather":
            axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
            shape = shapes.get(node.input[0], [])
            if -len(shape) <= axis < len(shape) and shape[axis] > 0:
                lookups.append(_Lookup(node.input[1], shape[axis]))
    weights = {tensor.name for tensor in graph.initializer}
    return _of_inputs({value.name: value.name for value in graph.input if value.name not in weights}, sources, lookups)


def _tflite(path: Path) -> tuple[Vocabulary, ...]:
    from verify.runners.tflite_file import open_model, tensor_map
    from verify.runners.tflite_inspect import opcode_names

    with open_model(path) as model:
        names, codes = tensor_map(model), opcode_names(model)
        graph = model.Subgraphs(names.subgraph)
        sources: dict[object, tuple[object, ...]] = {}
        lookups = []
        for operator in (graph.Operators(at) for at in range(graph.OperatorsLength())):
            code = codes[operator.OpcodeIndex()]
            inputs = tuple(int(operator.Inputs(place)) for place in range(operator.InputsLength()))
            if code in _TFLITE_KEEPS or code in _TFLITE_CHOOSES:
                sources[int(operator.Outputs(0))] = inputs[1:] if code in _TFLITE_CHOOSES else inputs[:1]
            elif code in {"GATHER", "EMBEDDING_LOOKUP"}:
                lookups += _tflite_lookup(graph, operator, code, inputs)
        return _of_inputs(dict(names.inputs), sources, lookups)


def _tflite_lookup(graph: Any, operator: Any, code: str, inputs: tuple[int, ...]) -> list[_Lookup]:
    table, index, axis = (inputs[1], inputs[0], 0) if code == "EMBEDDING_LOOKUP" else (inputs[0], inputs[1], 0)
    if code == "GATHER" and operator.BuiltinOptions() is not None:
        from ai_edge_litert import schema_py_generated as schema

        options = schema.GatherOptions()
        options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
        axis = int(options.Axis())
    tensor = graph.Tensors(table)
    sizes = tensor.ShapeAsNumpy() if tensor.ShapeSignatureIsNone() else tensor.ShapeSignatureAsNumpy()
    shape = [] if tensor.ShapeIsNone() else [int(size) for size in sizes]
    rows = shape[axis] if -len(shape) <= axis < len(shape) else -1
    return [_Lookup(index, rows)] if rows > 0 else []


def _of_inputs(
    inputs: Mapping[str, object], sources: Mapping[object, tuple[object, ...]], lookups: Iterable[_Lookup]
) -> tuple[Vocabulary, ...]:
    rows: dict[object, list[int]] = defaultdict(list)
    for lookup in lookups:
        for tensor in _origins(lookup.index, sources):
            rows[tensor].append(lookup.rows)
    return tuple(Vocabulary(name, min(rows[tensor])) for name, tensor in inputs.items() if rows[tensor])


def _origins(tensor: object, sources: Mapping[object, tuple[object, ...]]) -> set[object]:
    """The tensor itself, and all whose values it keeps."""
    found: set[object] = set()
    waiting = [tensor]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting += sources.get(current, ())
    return found
