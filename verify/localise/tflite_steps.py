"""The ops of a TFLite file, run one at a time by LiteRT: each becomes a file of its own with its constants."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from verify.errors import OpNotRunnable
from verify.flatbuffer import unpack
from verify.localise.graph import Graph, Op
from verify.localise.onnx_source import sources_beside
from verify.localise.steps import Values, Weights, stacked
from verify.localise.why import Details
from verify.modules import Modules, modules_beside
from verify.runners.tflite_file import open_model, tensor_map
from verify.stepping.contents import constant, is_int4, name_of, name_of_op
from verify.stepping.part import part_of, run_op, single_op

_MULTIPLYING = frozenset(
    {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "CONV_3D", "BATCH_MATMUL"}
)


class TfliteSteps:
    """See :class:`verify.localise.steps.Steps`. Tensors go by their number in the main subgraph."""

    fuses_activations = True
    suffix = ".tflite"

    def __init__(self, path: Path) -> None:
        self._model = unpack(path.read_bytes())
        with open_model(path) as opened:
            self._names = tensor_map(opened)
        self._subgraph = self._model.subgraphs[self._names.subgraph]
        self._graph = self._read(_modules(path), sources_beside(path))

    @property
    def graph(self) -> Graph:
        return self._graph

    def run(self, op: Op, feeds: Mapping[str, Values]) -> dict[str, Values]:
        return self._run(op, feeds, plainly=False)

    def run_plainly(self, op: Op, feeds: Mapping[str, Values]) -> dict[str, Values]:
        return self._run(op, feeds, plainly=True)

    def _run(self, op: Op, feeds: Mapping[str, Values], *, plainly: bool) -> dict[str, Values]:
        content = single_op(
            self._model, self._subgraph, self._subgraph.operators[op.index], [int(name) for name in feeds]
        )
        found = run_op(content, [list(values) for values in feeds.values()], plainly=plainly)
        try:
            return dict(zip(op.outputs, stacked(found), strict=True))
        except ValueError as error:
            raise OpNotRunnable(f"op {op.index} ({op.kind}) gives another size for each sample") from error

    def real(self, tensor: str, stored: Values) -> Values:
        found = self._quantization(tensor)
        if found is None:
            return stored
        scale, zero_point, _ = found
        return (stored.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)

    def stored(self, tensor: str, real: Values) -> Values:
        found = self._quantization(tensor)
        if found is None:
            return real
        scale, zero_point, dtype = found
        limits = np.iinfo(dtype)
        levels = np.rint(real.astype(np.float32) / np.float32(scale)) + zero_point
        clipped: Values = np.clip(levels, limits.min, limits.max).astype(dtype)
        return clipped

    def levels(self, tensor: str) -> tuple[float, int] | None:
        found = self._quantization(tensor)
        return None if found is None else found[:2]

    def details(self, op: Op) -> Details:
        operator, graph = self._subgraph.operators[op.index], self._subgraph
        options = {} if operator.builtinOptions is None else vars(operator.builtinOptions)
        kept = {}
        for at, tensor in enumerate(map(int, operator.inputs)):
            values = [constant(self._model, graph, tensor, dtype) for dtype in (np.float32, np.int32, np.int8)]
            found = next((each for each in values if each is not None), None)
            if found is not None:
                kept[f"input {at}"] = found
        return Details("TFLite", {name: str(value)[:80] for name, value in options.items()}, kept)

    def weights(self, op: Op) -> Weights | None:
        if not op.weighted or not op.inputs:
            return None
        read = [int(at) for at in self._subgraph.operators[op.index].inputs]
        constants = [at for at in read[:3] if at >= 0 and self._is_weight(at)]
        fed = [str(at) for at in read if str(at) in op.inputs]
        if not constants or not fed:
            return None
        own = self._subgraph.tensors[constants[0]]
        shape = tuple(int(size) for size in own.shape)
        scales = np.asarray(own.quantization.scale, np.float64)
        transposed = op.kind == "BATCH_MATMUL" and not getattr(
            self._subgraph.operators[op.index].builtinOptions, "adjY", False
        )
        return Weights(fed[0], shape, scales, shape[-2] if transposed else shape[-1])

    def _is_weight(self, at: int) -> bool:
        """A constant with steps, and no bias: those of a bias are of 32 bits, and too small to matter."""
        own = self._subgraph.tensors[at]
        data = self._model.buffers[own.buffer].data
        narrow = int(own.type) in _integer_types() or is_int4(self._subgraph, at)
        stepped = own.quantization is not None and own.quantization.scale is not None
        return narrow and stepped and data is not None and len(data) > 0

    def extract(self, ops: Sequence[Op], inputs: Mapping[str, Any], output: str, out: Path) -> None:
        operators = [self._subgraph.operators[op.index] for op in ops]
        fed = [int(name) for name in inputs]
        out.write_bytes(part_of(self._model, self._subgraph, operators, fed, [int(output)]))

    def _quantization(self, tensor: str) -> tuple[float, int, type[np.signedinteger[Any]]] | None:
        own = self._subgraph.tensors[int(tensor)]
        dtype = _integer_types().get(int(own.type))
        stored = own.quantization
        if dtype is None or stored is None or stored.scale is None or len(stored.scale) != 1:
            return None
        return float(stored.scale[0]), int(stored.zeroPoint[0]) if len(stored.zeroPoint) else 0, dtype

    def _read(self, modules: Modules, sources: Mapping[str, str]) -> Graph:
        graph = self._subgraph
        given = {int(at) for operator in graph.operators for at in operator.outputs}
        given |= {at for _, at in self._names.inputs}
        ops = tuple(
            self._op(index, operator, given, modules, sources) for index, operator in enumerate(graph.operators)
        )
        return Graph(
            ops=ops,
            inputs={name: str(at) for name, at in self._names.inputs},
            outputs={name: str(at) for name, at in self._names.outputs},
            quantized=any(map(_reduced, graph.tensors)),
            sizes={str(at): _declared(tensor) for at, tensor in enumerate(graph.tensors) if tensor.shape is not None},
            shown={str(at): name_of(tensor) for at, tensor in enumerate(graph.tensors)},
        )

    def _op(self, index: int, operator: Any, given: set[int], modules: Modules, sources: Mapping[str, str]) -> Op:
        kind = name_of_op(self._model, operator)
        outputs = tuple(int(at) for at in operator.outputs)
        names = modules.of_tensor(name_of(self._subgraph.tensors[outputs[0]])) if outputs else ()
        read = [int(at) for at in operator.inputs if int(at) >= 0]
        return Op(
            index=index,
            kind=kind,
            inputs=tuple(dict.fromkeys(str(at) for at in read if at in given)),
            outputs=tuple(map(str, outputs)),
            module=", ".join(names),
            source=next((sources[name] for name in names if name in sources), ""),
            weighted=kind in _MULTIPLYING and any(at not in given for at in read),
        )


def _declared(tensor: Any) -> tuple[int | None, ...]:
    signature = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
    return tuple(None if size < 0 else int(size) for size in signature)


def _modules(path: Path) -> Modules:
    stem = path.stem
    for suffix in ("_float16", "_dynamic_int8", "_int8"):
        stem = stem.removesuffix(suffix)
    return modules_beside(path.with_name(f"{stem}.tflite"))


@functools.cache
def _integer_types() -> dict[int, Any]:
    from ai_edge_litert.schema_py_generated import TensorType

    return {TensorType.INT8: np.int8, TensorType.UINT8: np.uint8, TensorType.INT16: np.int16}


def _reduced(tensor: Any) -> bool:
    """Whether a tensor holds values of less than float32's precision."""
    from ai_edge_litert.schema_py_generated import TensorType

    scales = None if tensor.quantization is None else tensor.quantization.scale
    return int(tensor.type) == TensorType.FLOAT16 or (scales is not None and len(scales) > 0)
