"""The ops of an ONNX file, run one at a time by onnxruntime: each becomes a model of its own with its constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from verify.errors import OpNotRunnable
from verify.localise.graph import Graph, Op
from verify.localise.onnx_source import module_of, module_type_of, source_of
from verify.localise.steps import Values, Weights, stacked
from verify.localise.why import Details
from verify.threads import runtime_threads

_ERRORS_ONLY = 3
_REDUCED = frozenset({"QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "DynamicQuantizeLinear"})
_MULTIPLYING = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "QLinearConv"})


class OnnxSteps:
    """See :class:`verify.localise.steps.Steps`. Values are stored as they are: ONNX has no quantized tensors."""

    fuses_activations = False
    suffix = ".onnx"

    def __init__(self, path: Path) -> None:
        import onnx

        self._model = onnx.load(str(path))
        self._nodes = list(self._model.graph.node)
        self._constants = {tensor.name: tensor for tensor in self._model.graph.initializer}
        for node in self._nodes:
            tensor = _constant_of(node)
            if tensor is not None:
                self._constants[tensor.name] = tensor
        self._graph = self._read()

    @property
    def graph(self) -> Graph:
        return self._graph

    def run(self, op: Op, feeds: Mapping[str, Values]) -> dict[str, Values]:
        import onnxruntime

        types = {name: values.dtype for name, values in feeds.items()}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = runtime_threads(), 1
        options.log_severity_level = _ERRORS_ONLY
        try:
            session = onnxruntime.InferenceSession(
                self._part([op], types, op.outputs), options, providers=["CPUExecutionProvider"]
            )
            count = max((len(values) for values in feeds.values()), default=1)
            found = [
                session.run(list(op.outputs), {name: values[at, ...] for name, values in feeds.items()})
                for at in range(count)
            ]
            return dict(zip(op.outputs, stacked(found), strict=True))
        except Exception as error:  # onnxruntime's own exceptions share no base class but Exception
            raise OpNotRunnable(f"onnxruntime cannot run node {op.index} ({op.kind}) by itself: {error}") from error

    def run_plainly(self, op: Op, feeds: Mapping[str, Values]) -> dict[str, Values]:
        return self.run(op, feeds)

    def real(self, tensor: str, stored: Values) -> Values:  # noqa: ARG002 - Steps has it
        return stored

    def stored(self, tensor: str, real: Values) -> Values:  # noqa: ARG002
        return real

    def levels(self, tensor: str) -> None:  # noqa: ARG002
        return None

    def details(self, op: Op) -> Details:
        from onnx import helper, numpy_helper

        node = self._nodes[op.index]
        written = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        kept = {
            f"input {at}": numpy_helper.to_array(self._constants[name])
            for at, name in enumerate(node.input)
            if name in self._constants
        }
        return Details("ONNX", {name: _written(value) for name, value in written.items()}, kept)

    def weights(self, op: Op) -> Weights | None:  # noqa: ARG002 - ONNX has no quantized tensors here
        return None

    def extract(self, ops: Sequence[Op], inputs: Mapping[str, Any], output: str, out: Path) -> None:
        out.write_bytes(self._part(ops, inputs, (output,)))

    def _part(self, ops: Sequence[Op], types: Mapping[str, Any], outputs: Sequence[str]) -> bytes:
        """A model of these ops; ``types`` are the numpy dtypes of what it takes."""
        from onnx import ValueInfoProto, helper

        nodes = [self._nodes[op.index] for op in ops]
        needed = {name for node in nodes for name in _reads(node)}
        graph = helper.make_graph(
            nodes,
            "part",
            [
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), None)
                for name, dtype in types.items()
            ],
            [ValueInfoProto(name=name) for name in outputs],
            [self._constants[name] for name in sorted(needed & self._constants.keys())],
        )
        model = helper.make_model(
            graph,
            opset_imports=self._model.opset_import,
            functions=list(self._model.functions),
            ir_version=self._model.ir_version,
        )
        return bytes(model.SerializeToString())

    def _read(self) -> Graph:
        graph = self._model.graph
        ops = tuple(
            Op(
                index=index,
                kind=node.op_type,
                inputs=tuple(dict.fromkeys(name for name in _reads(node) if name not in self._constants)),
                outputs=tuple(name for name in node.output if name),
                name=node.name,
                module=module_of(node),
                source=source_of(node),
                module_type=module_type_of(node),
                weighted=node.op_type in _MULTIPLYING and any(name in self._constants for name in node.input),
            )
            for index, node in enumerate(self._nodes)
            if _constant_of(node) is None
        )
        return Graph(
            ops=ops,
            inputs={value.name: value.name for value in graph.input if value.name not in self._constants},
            outputs={value.name: value.name for value in graph.output},
            quantized=any(op.kind in _REDUCED for op in ops),
            sizes={
                value.name: _declared(value) for value in graph.value_info if value.type.tensor_type.HasField("shape")
            },
        )


def _written(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)[:80]


def _declared(value: Any) -> tuple[int | None, ...]:
    dims = value.type.tensor_type.shape.dim
    return tuple(int(dim.dim_value) if dim.HasField("dim_value") else None for dim in dims)


def _constant_of(node: Any) -> Any:
    """What a ``Constant`` node with a tensor gives, under its output's name."""
    from onnx import TensorProto

    if node.op_type != "Constant" or not node.attribute or not node.attribute[0].HasField("t"):
        return None
    tensor = TensorProto()
    tensor.CopyFrom(node.attribute[0].t)
    tensor.name = node.output[0]
    return tensor


def _reads(node: Any) -> list[str]:
    """A node's inputs, and what the graphs inside it read from outside."""
    found = [name for name in node.input if name]
    for attribute in node.attribute:
        for graph in (*attribute.graphs, *((attribute.g,) if attribute.HasField("g") else ())):
            own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
            for inner in graph.node:
                found += [name for name in _reads(inner) if name not in own]
                own.update(inner.output)
            found += [value.name for value in graph.output if value.name not in own]
    return found
