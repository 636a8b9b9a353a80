"""Ops of an unpacked model as a file of their own, and running that with LiteRT's kernels."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from verify.errors import OpNotRunnable
from verify.stepping.contents import name_of_op
from verify.threads import runtime_threads

Values = npt.NDArray[Any]

WORTH_THREADS_BYTES = 2**22
"""Of weights and what enters an op, for one sample."""

WITH_SUBGRAPHS = frozenset({"IF", "WHILE", "CALL", "CALL_ONCE", "STABLEHLO_WHILE", "STABLEHLO_COMPOSITE"})
"""Ops that compute in other subgraphs of their file."""


def single_op(model: Any, graph: Any, operator: Any, fed: Sequence[int]) -> bytes:
    """A file with this op alone, which takes ``fed`` and gives what the op gives."""
    return part_of(model, graph, [operator], fed, [int(at) for at in operator.outputs])


def part_of(model: Any, graph: Any, operators: Sequence[Any], fed: Sequence[int], given: Sequence[int]) -> bytes:
    """A file with these ops of one subgraph, which takes ``fed`` and gives ``given``, in that order.

    With an op that computes in other subgraphs, all of the model is in it but the rest of that one.
    """
    from ai_edge_litert import schema_py_generated as schema

    if any(name_of_op(model, operator) in WITH_SUBGRAPHS for operator in operators):
        return _beside_others(model, graph, operators, fed, given)
    moved = {-1: -1}
    part, inner = schema.ModelT(), schema.SubGraphT()
    part.version, part.buffers, part.operatorCodes = 3, [schema.BufferT()], []
    inner.tensors, inner.operators = [], []
    codes = list(dict.fromkeys(int(operator.opcodeIndex) for operator in operators))
    part.operatorCodes = [model.operatorCodes[code] for code in codes]
    for operator in operators:
        own = copy.copy(operator)
        own.opcodeIndex = codes.index(int(operator.opcodeIndex))
        for role in ("inputs", "outputs", "intermediates"):
            listed = getattr(operator, role)
            if listed is None:
                continue
            for at in map(int, listed):
                if at not in moved:
                    moved[at] = len(inner.tensors)
                    inner.tensors.append(_tensor(model, graph.tensors[at], part.buffers))
            setattr(own, role, [moved[int(at)] for at in listed])
        inner.operators.append(own)
    inner.inputs, inner.outputs = [moved[at] for at in fed], [moved[at] for at in given]
    part.subgraphs = [inner]
    return _packed(part)


def _beside_others(model: Any, graph: Any, operators: Sequence[Any], fed: Sequence[int], given: Sequence[int]) -> bytes:
    if graph is not model.subgraphs[0]:
        raise OpNotRunnable("an op with subgraphs of its own, outside the file's first, is not run by itself")
    part, inner = copy.copy(model), copy.copy(graph)
    inner.operators, inner.inputs, inner.outputs = list(operators), list(fed), list(given)
    part.subgraphs = [inner, *model.subgraphs[1:]]
    part.signatureDefs = part.metadata = part.metadataBuffer = None
    return _packed(part)


def _packed(part: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(part.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _tensor(model: Any, tensor: Any, buffers: list[Any]) -> Any:
    own = copy.copy(tensor)
    own.buffer = 0
    if model.buffers[tensor.buffer].data is not None and len(model.buffers[tensor.buffer].data):
        own.buffer = len(buffers)
        buffers.append(model.buffers[tensor.buffer])
    return own


def run_op(content: bytes, inputs: Sequence[list[Values]], *, plainly: bool = False) -> list[list[Values]]:
    """The outputs, one list a sample; ``plainly`` by the reference kernels and without a delegate."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        interpreter = Interpreter(
            model_content=content,
            num_threads=_threads(content, inputs),
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF if plainly else OpResolverType.BUILTIN,
        )
        taken = [each["index"] for each in interpreter.get_input_details()]
        given = [each["index"] for each in interpreter.get_output_details()]
        shapes: list[tuple[int, ...]] = []
        found = []
        for sample in zip(*inputs, strict=True) if inputs else [()]:
            if [array.shape for array in sample] != shapes or not shapes:
                shapes = [array.shape for array in sample]
                for at, shape in zip(taken, shapes, strict=True):
                    interpreter.resize_tensor_input(at, shape)
                interpreter.allocate_tensors()
            for at, array in zip(taken, sample, strict=True):
                interpreter.set_tensor(at, array)
            interpreter.reset_all_variables()
            interpreter.invoke()
            found.append([interpreter.get_tensor(at) for at in given])
    except (RuntimeError, ValueError) as error:
        raise OpNotRunnable(f"LiteRT cannot run an op by itself: {error}") from error
    return found


def _threads(content: bytes, inputs: Sequence[list[Values]]) -> int:
    """One for what is done before a second thread has started: an op by itself is small in most nets."""
    size = len(content) + sum(values[0].nbytes for values in inputs if values)
    return runtime_threads() if size > WORTH_THREADS_BYTES else 1
