"""Running a model one op at a time over a few samples, so that an op can be changed before what follows it runs.

Each op becomes a file of its own with LiteRT's kernel for it. A tensor's values are dropped after their last reader.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt

from quantize.correction.unpacked import name_of_op
from verify.errors import QuantizationFailed
from verify.threads import runtime_threads

_WITH_SUBGRAPHS = frozenset({"IF", "WHILE", "CALL", "CALL_ONCE", "STABLEHLO_WHILE", "STABLEHLO_COMPOSITE"})

Values = npt.NDArray[Any]


class Stepper:
    """The ops of one subgraph of an unpacked model, run in order; every tensor has one array a sample."""

    def __init__(
        self,
        model: Any,
        subgraph: int,
        inputs: dict[int, list[Values]],
        watch: Callable[[int, list[Values]], None] | None = None,
    ) -> None:
        """``inputs`` by tensor; ``watch`` is told of each tensor that an op gives, and its values."""
        self._watch = watch
        self._model, self._graph = model, model.subgraphs[subgraph]
        self._values = dict(inputs)
        self._count = max(map(len, inputs.values()), default=1)
        self._readers = Counter(int(at) for operator in self._graph.operators for at in operator.inputs)
        self._next = 0

    def values(self, tensor: int) -> list[Values]:
        """What a tensor that the next op reads holds, one array a sample."""
        return self._values[tensor]

    def run_until(self, operator: int) -> None:
        """Run every op before this one that has not run."""
        while self._next < operator:
            self._step(self._graph.operators[self._next])
            self._next += 1

    def finish(self) -> None:
        """Run the rest."""
        self.run_until(len(self._graph.operators))

    def _step(self, operator: Any) -> None:
        name = name_of_op(self._model, operator)
        if name in _WITH_SUBGRAPHS:
            raise QuantizationFailed(f"{name} computes in other subgraphs")
        fed = list(dict.fromkeys(int(at) for at in operator.inputs if int(at) in self._values))
        given = [int(at) for at in operator.outputs]
        found = _run(_single_op(self._model, self._graph, operator, fed), [self._values[at] for at in fed])
        if not fed:
            found *= self._count
        for at, arrays in zip(given, zip(*found, strict=True), strict=True):
            if self._watch is not None:
                self._watch(at, list(arrays))
            if self._readers[at]:
                self._values[at] = list(arrays)
        for at in operator.inputs:
            self._readers[int(at)] -= 1
            if not self._readers[int(at)]:
                self._values.pop(int(at), None)


def _single_op(model: Any, graph: Any, operator: Any, fed: Sequence[int]) -> bytes:
    """A file with this op alone, which takes ``fed`` and gives what the op gives."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    own, moved = copy.copy(operator), {-1: -1}
    single, inner = schema.ModelT(), schema.SubGraphT()
    single.version, single.buffers, inner.tensors = 3, [schema.BufferT()], []
    for role in ("inputs", "outputs", "intermediates"):
        listed = getattr(operator, role)
        if listed is None:
            continue
        for at in map(int, listed):
            if at not in moved:
                moved[at] = len(inner.tensors)
                inner.tensors.append(_tensor(model, graph.tensors[at], single.buffers))
        setattr(own, role, [moved[int(at)] for at in listed])
    single.operatorCodes, own.opcodeIndex = [model.operatorCodes[operator.opcodeIndex]], 0
    inner.operators, inner.inputs = [own], [moved[at] for at in fed]
    inner.outputs = [moved[int(at)] for at in operator.outputs]
    single.subgraphs = [inner]
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(single.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _tensor(model: Any, tensor: Any, buffers: list[Any]) -> Any:
    own = copy.copy(tensor)
    own.buffer = 0
    if model.buffers[tensor.buffer].data is not None and len(model.buffers[tensor.buffer].data):
        own.buffer = len(buffers)
        buffers.append(model.buffers[tensor.buffer])
    return own


def _run(content: bytes, inputs: Sequence[list[Values]]) -> list[list[Values]]:
    """The outputs, one list a sample."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        interpreter = Interpreter(
            model_content=content,
            num_threads=runtime_threads(),
            experimental_op_resolver_type=OpResolverType.BUILTIN,
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
        raise QuantizationFailed(f"LiteRT cannot run an op by itself: {error}") from error
    return found
