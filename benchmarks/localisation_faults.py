"""Faults in single ops whose place is known: a copy of a model with a fault, and which op differs from the original."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verify.artifact import Artifact, Format
from verify.errors import OpNotRunnable
from verify.faults.inject import inject
from verify.flatbuffer import unpack
from verify.localise.axes import sqnr_of
from verify.localise.recording import record, samples_of
from verify.localise.steps import open_steps
from verify.opening import format_of
from verify.stepping.contents import name_of_op

Op = tuple[str, object]


def faulty_copy(*, kind: str, path: Path, folder: Path, seed: int) -> tuple[Path, int] | None:
    """Job: the copy and the number of the one op that differs; ``None`` where the fault does not apply to the model,
    or changes more than one op, or none (the names of outputs).
    """
    injected = inject(kind=kind, path=path, folder=folder, seed=seed)
    if injected.path is None:
        return None
    read = _tflite_ops if format_of(path) is Format.TFLITE else _onnx_ops
    before, after = read(path), read(injected.path)
    if len(before) != len(after):
        return None
    changed = [at for at, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]
    return (injected.path, changed[0]) if len(changed) == 1 else None


@dataclass(frozen=True)
class Size:
    """How large a fault is, in dB of signal to error: infinite where nothing differs, minus infinite where all does."""

    of_op: float
    """The op with the fault against the op without it, both fed what the model without it has there."""
    of_outputs: float
    """The model's outputs, the worst of them."""


def size_of(*, clean: Artifact, faulty: Artifact, batches: Path, op: int, samples: int) -> Size:
    """Job: what a fault changes, without any localisation."""
    one, other = open_steps(clean), open_steps(faulty)
    fed = samples_of(clean, batches, {}, samples)
    with tempfile.TemporaryDirectory() as folder:
        before = record(one, fed, Path(folder, "clean"))
        after = record(other, fed, Path(folder, "faulty"))
        (own,) = (each for each in one.graph.ops if each.index == op)
        (wrong,) = (each for each in other.graph.ops if each.index == op)
        feeds = {
            tensor: one.stored(tensor, before.tensors[tensor]).astype(before.dtypes[tensor]) for tensor in wrong.inputs
        }
        try:
            given = other.run(wrong, feeds)
            pairs = zip(own.outputs, wrong.outputs, strict=True)
            changed = [_apart(before.tensors[a], other.real(b, given[b])) for a, b in pairs]
        except OpNotRunnable:
            changed = [-np.inf]
        outputs = [
            _apart(before.tensors[tensor], after.tensors[after.graph.outputs[name]])
            if after.graph.outputs[name] in after.dtypes
            else -np.inf
            for name, tensor in before.graph.outputs.items()
        ]
    return Size(min(changed), min(outputs))


def _apart(expected, actual) -> float:
    found = sqnr_of(np.asarray(expected), np.asarray(actual))
    return float(np.inf) if found is None else found


def readers_of(*, path: Path, op: int) -> tuple[int, ...]:
    """Job: the ops that read what an op gives."""
    if format_of(path) is Format.TFLITE:
        operators = _graph(path)[1].operators
        given = {int(at) for at in operators[op].outputs}
        return tuple(at for at, each in enumerate(operators) if given & {int(read) for read in each.inputs})
    import onnx

    nodes = onnx.load(str(path)).graph.node
    return tuple(at for at, node in enumerate(nodes) if set(nodes[op].output) & set(node.input))


def _graph(path: Path):
    model = unpack(path.read_bytes())
    return model, model.subgraphs[0]


def _tflite_ops(path: Path) -> list[Op]:
    model, graph = _graph(path)
    given = {int(at) for operator in graph.operators for at in operator.outputs}
    return [
        (
            name_of_op(model, operator),
            [
                repr(sorted(vars(operator.builtinOptions).items())) if operator.builtinOptions is not None else "",
                [_constant(model, graph, int(at)) for at in operator.inputs if int(at) not in given],
            ],
        )
        for operator in graph.operators
    ]


def _constant(model, graph, at: int) -> object:
    if at < 0:
        return None
    tensor = graph.tensors[at]
    data = model.buffers[tensor.buffer].data
    stored = tensor.quantization
    scales = None if stored is None or stored.scale is None else np.asarray(stored.scale).tobytes()
    return (b"" if data is None else bytes(data), scales)


def _onnx_ops(path: Path) -> list[Op]:
    import onnx

    graph = onnx.load(str(path)).graph
    weights = {tensor.name: tensor.SerializeToString() for tensor in graph.initializer}
    own = [(node.op_type, [sorted(str(each) for each in node.attribute)]) for node in graph.node]
    return [
        (kind, [*told, list(node.input), [weights.get(name) for name in node.input]])
        for (kind, told), node in zip(own, graph.node, strict=True)
    ]
