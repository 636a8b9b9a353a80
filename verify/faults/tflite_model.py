"""A ``.tflite`` file as a :class:`Model`, edited as the schema's objects."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import numpy as np

from verify.faults.model import Array, Model, Node, Step, Tensor, Weight
from verify.flatbuffer import unpack, write
from verify.runners.tflite_file import SERVING_DEFAULT

_NUMPY = {"FLOAT32": np.float32, "FLOAT16": np.float16, "INT8": np.int8, "INT32": np.int32, "INT64": np.int64}
_BIAS_PLACE = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
_VERSIONS = {"BROADCAST_TO": 3, "QUANTIZE": 2, "RESHAPE": 1}


@functools.cache
def _names(enumeration: str) -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {value: name for name, value in vars(getattr(schema, enumeration)).items() if isinstance(value, int)}


def _number(enumeration: str, name: str) -> int:
    return next(number for number, known in _names(enumeration).items() if known == name)


class TfliteModel(Model):
    """The subgraph that ``serving_default`` runs."""

    height_width = (1, 2)

    def __init__(self, path: Path) -> None:
        self._model = unpack(path.read_bytes())
        signatures = self._model.signatureDefs or []
        keys = [_text(signature.signatureKey) for signature in signatures]
        at = keys.index(SERVING_DEFAULT) if SERVING_DEFAULT in keys else 0
        self._signature = signatures[at] if signatures else None
        self._graph = self._model.subgraphs[self._signature.subgraphIndex if self._signature else 0]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The operators of the subgraph, in order."""
        return tuple(self._node(index, operator) for index, operator in enumerate(self._graph.operators))

    def _node(self, index: int, operator: Any) -> Node:
        code = self._model.operatorCodes[operator.opcodeIndex]
        kind = _names("BuiltinOperator")[max(int(code.builtinCode), int(code.deprecatedBuiltinCode))]
        inputs = tuple(int(at) if at >= 0 else None for at in operator.inputs)
        return Node(kind, index, inputs, tuple(int(at) for at in operator.outputs), operator)

    @property
    def outputs(self) -> tuple[tuple[str, Tensor], ...]:
        """By the signature's names; by the tensors' own in a file without one."""
        if self._signature is not None:
            return tuple((_text(entry.name), int(entry.tensorIndex)) for entry in self._signature.outputs)
        return tuple((self._name(int(at)), int(at)) for at in self._graph.outputs)

    def weights(self) -> tuple[Weight, ...]:
        """Convolutions, transposed ones and fully connected layers whose weights are constants."""
        return tuple(weight for weight in map(self._weight, self.nodes) if weight is not None)

    def _weight(self, node: Node) -> Weight | None:
        place = _BIAS_PLACE.get(node.kind)
        if place is None:
            return None
        tensor = self._stored(node.inputs[1])
        if tensor is None or self.constant(tensor) is None:
            return None
        bias = self._stored(node.inputs[place]) if len(node.inputs) > place else None
        if node.kind == "FULLY_CONNECTED":
            return Weight(node, tensor, 0, 1, bias=bias)
        if node.kind == "DEPTHWISE_CONV_2D":
            return Weight(node, tensor, 3, None, (1, 2), bias)
        return Weight(node, tensor, 0, 3, (1, 2), bias)

    def _stored(self, tensor: Tensor | None) -> Tensor | None:
        """The constant behind a DEQUANTIZE, which is how float16 weights are stored."""
        for node in self.nodes:
            if node.kind == "DEQUANTIZE" and tensor in node.outputs and self.constant(node.inputs[0]) is not None:
                return node.inputs[0]
        return tensor

    def constant(self, tensor: Tensor | None) -> Array | None:
        """Its values as stored; ``None`` for an activation, or for a type that numpy has not."""
        if tensor is None:
            return None
        stored = self._tensor(tensor)
        data = self._model.buffers[stored.buffer].data
        dtype = _NUMPY.get(_names("TensorType")[stored.type])
        if data is None or not len(data) or dtype is None:
            return None
        values = np.frombuffer(np.asarray(data, np.uint8), dtype)
        return values.reshape(() if stored.shape is None else tuple(stored.shape))

    def set_constant(self, tensor: Tensor, values: Array) -> None:
        """In a buffer of its own: another tensor that shared it keeps what it had."""
        self._tensor(tensor).buffer = self._buffer(values)

    def _buffer(self, values: Array) -> int:
        from ai_edge_litert.schema_py_generated import BufferT

        buffer = BufferT()
        buffer.data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        self._model.buffers.append(buffer)
        return len(self._model.buffers) - 1

    def shape(self, tensor: Tensor) -> tuple[int, ...] | None:
        """Of the signature where it has one, with -1 for what is dynamic."""
        stored = self._tensor(tensor)
        sizes = stored.shape if stored.shapeSignature is None else stored.shapeSignature
        return None if sizes is None else tuple(int(size) for size in sizes)

    def is_float(self, tensor: Tensor) -> bool:
        """Whether it is float32, float16 or float64."""
        return _names("TensorType")[self._tensor(tensor).type].startswith("FLOAT")

    def attribute(self, node: Node, name: str) -> Any:
        """A field of the operator's options."""
        return getattr(node.raw.builtinOptions, name, None)

    def set_attribute(self, node: Node, name: str, value: Any) -> None:
        """Set a field of the operator's options."""
        node.raw.builtinOptions = copy.copy(node.raw.builtinOptions)
        setattr(node.raw.builtinOptions, name, value)

    def set_kind(self, node: Node, kind: str) -> None:
        """The options stay: only operators that share a type of options can take each other's place."""
        node.raw.opcodeIndex = self._opcode(kind)

    def bypass(self, node: Node, kept: int = 0) -> None:
        """Quantized values are requantized, for the two tensors have parameters of their own."""
        source, target = node.inputs[kept], node.outputs[0]
        assert isinstance(source, int)
        assert isinstance(target, int)
        if self.is_float(target):
            self._redirect(target, source, self.nodes)
            self._redirect_outputs(target, source)
        else:
            self.set_kind(node, "QUANTIZE")
            node.raw.inputs, node.raw.builtinOptions, node.raw.builtinOptionsType = [source], None, 0

    def drop_input(self, node: Node, place: int) -> None:
        """An absent input has the number -1."""
        node.raw.inputs = [-1 if at == place else int(tensor) for at, tensor in enumerate(node.raw.inputs)]

    def splice(self, tensor: Tensor, step: Step) -> None:
        """New operators stand right after the one that gives the tensor, or first when it is an input."""
        from verify.faults.tflite_steps import add_step

        readers = self.readers(tensor)
        makers = [node.index for node in self.nodes if tensor in node.outputs]
        made = add_step(self, _index(tensor), step, at=makers[0] + 1 if makers else 0)
        self._redirect(_index(tensor), made, readers)

    def append(self, output: str, step: Step) -> None:
        """New operators stand last."""
        from verify.faults.tflite_steps import add_step

        tensor = _index(dict(self.outputs)[output])
        made = add_step(self, tensor, step, at=len(self._graph.operators))
        self._redirect_outputs(tensor, made, name=output)

    def swap_outputs(self, one: str, other: str) -> None:
        """In the signature; in a file without one, in the subgraph's list."""
        tensors = dict(self.outputs)
        exchanged = {one: tensors[other], other: tensors[one]}
        for entry in self._signature.outputs if self._signature is not None else ():
            entry.tensorIndex = exchanged.get(_text(entry.name), entry.tensorIndex)
        if self._signature is None:
            for tensor, name in ((tensors[one], other), (tensors[other], one)):
                self._tensor(tensor).name = name

    def drop_output(self, name: str) -> None:
        """From the signature and from the subgraph's list."""
        tensor = dict(self.outputs)[name]
        if self._signature is not None:
            self._signature.outputs = [entry for entry in self._signature.outputs if _text(entry.name) != name]
        self._graph.outputs = [int(at) for at in self._graph.outputs if int(at) != tensor]

    def publish(self, tensor: Tensor, name: str) -> None:
        """One more entry in the signature, and in the subgraph's list."""
        from ai_edge_litert.schema_py_generated import TensorMapT

        if self._signature is not None:
            entry = TensorMapT()
            entry.name, entry.tensorIndex = name, tensor
            self._signature.outputs = [*self._signature.outputs, entry]
        self._graph.outputs = [*map(int, self._graph.outputs), _index(tensor)]

    def write(self, path: Path) -> None:
        """Packed anew."""
        write(self._model, path)

    def quantization(self, tensor: Tensor) -> tuple[Array, Array] | None:
        """Scales and zero points of a quantized tensor; ``None`` where it has none."""
        parameters = self._tensor(tensor).quantization
        if parameters is None or parameters.scale is None or not len(parameters.scale):
            return None
        return np.array(parameters.scale, np.float32), np.array(parameters.zeroPoint, np.int64)

    def set_quantization(self, tensor: Tensor, scale: Array, zero_point: Array) -> None:
        """Other scales and zero points for the bytes that are there."""
        stored = self._tensor(tensor)
        stored.quantization = copy.copy(stored.quantization)
        stored.quantization.scale, stored.quantization.zeroPoint = scale, zero_point

    def tensor_like(self, tensor: int, suffix: str, **fields: Any) -> int:
        """A new activation with another's type, shape and quantization, but for what ``fields`` says."""
        made = copy.copy(self._graph.tensors[tensor])
        made.name, made.buffer = f"{self._name(tensor)}_{suffix}", 0
        for name, value in fields.items():
            setattr(made, name, value)
        self._graph.tensors.append(made)
        return len(self._graph.tensors) - 1

    def new_constant(self, values: Array, like: int | None = None) -> int:
        """A new constant; ``like`` gives it another tensor's quantization."""
        from ai_edge_litert.schema_py_generated import TensorT

        made = TensorT()
        made.name, made.buffer = f"fault_constant_{len(self._graph.tensors)}", self._buffer(values)
        made.shape, made.shapeSignature = list(values.shape), None
        made.type = _number("TensorType", values.dtype.name.upper())
        made.quantization = None if like is None else self._graph.tensors[like].quantization
        self._graph.tensors.append(made)
        return len(self._graph.tensors) - 1

    def add_operator(self, kind: str, inputs: list[int], output: int, at: int, options: Any = None) -> None:
        """Insert an operator; ``options`` is an object of the schema (``StridedSliceOptionsT``)."""
        from ai_edge_litert.schema_py_generated import OperatorT

        made = OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = self._opcode(kind), inputs, [output]
        if options is not None:
            made.builtinOptions = options
            made.builtinOptionsType = _number("BuiltinOptions", type(options).__name__.removesuffix("T"))
        self._graph.operators.insert(at, made)

    def stored_type(self, tensor: int) -> Any:
        """The numpy type of a tensor; ``None`` for one that numpy has not."""
        return _NUMPY.get(_names("TensorType")[self._graph.tensors[tensor].type])

    def _opcode(self, kind: str) -> int:
        from ai_edge_litert.schema_py_generated import OperatorCodeT

        number = _number("BuiltinOperator", kind)
        for index, code in enumerate(self._model.operatorCodes):
            if max(int(code.builtinCode), int(code.deprecatedBuiltinCode)) == number:
                return index
        made = OperatorCodeT()
        made.builtinCode, made.deprecatedBuiltinCode = number, min(number, 127)
        made.version = _VERSIONS.get(kind, 1)
        self._model.operatorCodes.append(made)
        return len(self._model.operatorCodes) - 1

    def _redirect(self, old: int, new: int, nodes: tuple[Node, ...]) -> None:
        for node in nodes:
            node.raw.inputs = [new if int(at) == old else int(at) for at in node.raw.inputs]

    def _redirect_outputs(self, old: int, new: int, name: str | None = None) -> None:
        """Only the output of that name where one is given."""
        for entry in self._signature.outputs if self._signature is not None else ():
            if int(entry.tensorIndex) == old and name in {None, _text(entry.name)}:
                entry.tensorIndex = new
        self._graph.outputs = [new if int(at) == old else int(at) for at in self._graph.outputs]
        if self._signature is None:
            own = self._graph.tensors[old].name
            self._graph.tensors[new].name, self._graph.tensors[old].name = own, f"{_text(own)}_before"

    def _tensor(self, tensor: Tensor) -> Any:
        return self._graph.tensors[_index(tensor)]

    def _name(self, tensor: int) -> str:
        return _text(self._graph.tensors[tensor].name)


def _index(tensor: Tensor) -> int:
    assert isinstance(tensor, int)
    return tensor


def _text(name: Any) -> str:
    if name is None:
        return ""
    return name if isinstance(name, str) else str(name.decode())
