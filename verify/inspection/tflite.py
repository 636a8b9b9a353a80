"""Inspecting a ``.tflite`` file through its schema: no interpreter, no TensorFlow, nothing is run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from verify.errors import ModelUnreadable
from verify.inspection.layers import kinds_of, macs_total, with_weights
from verify.inspection.run_time_sizes import run_time_sizes
from verify.inspection.runtime_fit import Facts, fits_of
from verify.inspection.signatures import Permutations, declared_permutations
from verify.inspection.tflite_graph import Operand, Operator, indices, operands, operators
from verify.inspection.tflite_layers import layers_of
from verify.inspection.tflite_quantization import quantization_of, shape_of
from verify.inspection.types import SCHEMA_VERSION, DynamicTensor, Inspection, NamedSignature, Role, Subgraph
from verify.modules import modules_beside
from verify.report import words
from verify.runners.tflite_file import open_model
from verify.signature import Quantization, TensorSpec

FLEX_PREFIX = "Flex"


def inspect_tflite(path: Path) -> Inspection:
    """Job: what the file is made of; raises ``ModelUnreadable``."""
    with open_model(path) as model:
        return _inspect(path, model)


def _inspect(path: Path, model: Any) -> Inspection:
    if not model.SubgraphsLength():
        raise ModelUnreadable(f"{path} holds no graph: a TFLite file has one subgraph at least")
    tensors = [operands(model, model.Subgraphs(at)) for at in range(model.SubgraphsLength())]
    ops = [operator for at, those in enumerate(tensors) for operator in operators(model, at, those)]
    layers = layers_of(model, ops, modules_beside(path))
    dynamic = tuple(_dynamic(model, tensors))
    notes: list[str] = []
    return Inspection(
        schema_version=SCHEMA_VERSION,
        path=path.name,
        format="TFLite",
        bytes=path.stat().st_size,
        signatures=_signatures(path, model, tensors, notes),
        ops=kinds_of(layers),
        parameters=sum(layer.parameters for layer in layers),
        weight_bytes=sum(layer.weight_bytes for layer in layers),
        macs=macs_total(layers, _assumption(tensors)),
        layers=with_weights(layers),
        quantization=quantization_of(path, model, tensors, ops),
        custom_ops=_counted(operator for operator in ops if operator.custom and not _is_flex(operator)),
        flex_ops=_counted(operator for operator in ops if operator.custom and _is_flex(operator)),
        dynamic_tensors=dynamic,
        subgraphs=tuple(_subgraph(model, at, those) for at, those in enumerate(tensors)),
        metadata=tuple(_metadata(model)),
        runtimes=fits_of(Facts(ops, layers, dynamic)),
        notes=(*notes, *_size_notes(ops)),
    )


def _signatures(
    path: Path, model: Any, tensors: Sequence[Sequence[Operand]], notes: list[str]
) -> tuple[NamedSignature, ...]:
    permutations = declared_permutations(path, notes)
    found = [
        NamedSignature(
            (signature.SignatureKey() or b"").decode("utf-8", "replace"),
            *(
                tuple(
                    _spec(tensors[signature.SubgraphIndex()][entry.TensorIndex()], _text(entry.Name()), permutations)
                    for entry in entries
                )
                for entries in (
                    [signature.Inputs(at) for at in range(signature.InputsLength())],
                    [signature.Outputs(at) for at in range(signature.OutputsLength())],
                )
            ),
        )
        for signature in (model.SignatureDefs(at) for at in range(model.SignatureDefsLength()))
    ]
    if found:
        return tuple(found)
    graph = model.Subgraphs(0)
    inputs, outputs = (
        tuple(_spec(tensors[0][at], tensors[0][at].name, permutations) for at in indices(vector))
        for vector in (graph.InputsAsNumpy(), graph.OutputsAsNumpy())
    )
    return (NamedSignature("", inputs, outputs),)


def _spec(tensor: Operand, name: str, permutations: Permutations) -> TensorSpec:
    quantization = None if tensor.scale is None else Quantization(*tensor.scale)
    return TensorSpec(name, tensor.dtype, shape_of(tensor), permutations.get(name), quantization)


def _dynamic(model: Any, tensors: Sequence[Sequence[Operand]]) -> Iterator[DynamicTensor]:
    for at, those in enumerate(tensors):
        graph = model.Subgraphs(at)
        inputs, outputs = set(indices(graph.InputsAsNumpy())), set(indices(graph.OutputsAsNumpy()))
        for tensor in those:
            if tensor.dynamic_axes:
                role: Role = "input" if tensor.index in inputs else "output" if tensor.index in outputs else "inner"
                yield DynamicTensor(at, tensor.name, shape_of(tensor), role)


def _subgraph(model: Any, at: int, tensors: Sequence[Operand]) -> Subgraph:
    graph = model.Subgraphs(at)
    return Subgraph(
        name=_text(graph.Name()) or f"subgraph {at}",
        operators=graph.OperatorsLength(),
        tensors=len(tensors),
        inputs=graph.InputsLength(),
        outputs=graph.OutputsLength(),
    )


def _assumption(tensors: Sequence[Sequence[Operand]]) -> str:
    others = any(axis for those in tensors for tensor in those for axis in tensor.dynamic_axes)
    return "batch 1, and 1 for every other open size" if others else "batch 1"


def _metadata(model: Any) -> Iterator[tuple[str, str]]:
    if model.Description():
        yield "description", _text(model.Description())
    yield "schema version", str(model.Version())
    for at in range(model.MetadataLength()):
        entry = model.Metadata(at)
        contents = model.Buffers(entry.Buffer()).DataAsNumpy() if entry.Buffer() < model.BuffersLength() else b""
        if hasattr(contents, "__len__") and any(contents):
            yield _text(entry.Name()), _shown(bytes(contents))


def _shown(contents: bytes) -> str:
    text = contents.rstrip(b"\0").decode("utf-8", "replace")
    return text if text.isprintable() and len(text) <= 80 else f"{len(contents)} bytes"


def _size_notes(ops: Sequence[Operator]) -> list[str]:
    sizes = Counter(operator.op for operator in run_time_sizes(ops))
    if not sizes:
        return []
    listed = words.op_counts(tuple(sizes.most_common()))
    return [f"results that LiteRT can size only while it runs, so that GPU and NNAPI are handed nothing: {listed}"]


def _counted(ops: Iterator[Operator]) -> tuple[tuple[str, int], ...]:
    return tuple(Counter(operator.op for operator in ops).most_common())


def _is_flex(operator: Operator) -> bool:
    return operator.op.startswith(FLEX_PREFIX)


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")
