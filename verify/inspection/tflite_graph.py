"""The ops of a ``.tflite`` file with everything that rules about them ask for: operands, constants, options."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from verify.runners.tflite_file import dtype_of
from verify.runners.tflite_inspect import opcode_names

_MOST_VALUES = 64
_VALUE_BYTES = {"int32": 4, "int64": 8}
_NOT_WEIGHTS = frozenset({"int32", "int64", "bool", "string"})
_BIASED = {"CONV_2D": 2, "CONV_3D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3, "SVDF": 3}
"""Which input of an op is its bias: an integer in a quantized file, where other integers are sizes and axes."""


@dataclass(frozen=True)
class Operand:
    """One tensor of a subgraph. ``shape`` has the sizes that the file was made with, 1 where an axis is dynamic."""

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    dynamic_axes: tuple[int, ...] = ()
    buffer: int = 0
    constant: bool = False
    """Whether its contents are in the file; an empty list of axes has none and is a constant all the same."""
    constant_bytes: int = 0
    scales: int = 0
    scale: tuple[float, int] | None = None
    """Scale and zero point, where it has one of each."""
    blockwise: bool = False
    values: tuple[int, ...] | None = None
    """Of a small integer constant."""


@dataclass(frozen=True)
class Operator:
    """One op; an optional input that is left out is ``None``."""

    subgraph: int
    index: int
    op: str
    version: int
    custom: bool
    inputs: tuple[Operand | None, ...]
    outputs: tuple[Operand, ...]
    options: Mapping[str, float] = field(default_factory=dict)
    """Builtin options that are numbers, by the schema's snake_case name: ``fused_activation_function``, ``beta`` …"""

    @property
    def name(self) -> str:
        """The name of the first tensor that it gives."""
        return self.outputs[0].name if self.outputs else ""

    @property
    def weights(self) -> tuple[Operand, ...]:
        """The constants that were learnt, rather than sizes and axes."""
        return tuple(
            tensor
            for at, tensor in enumerate(self.inputs)
            if tensor is not None
            and tensor.constant
            and (tensor.dtype not in _NOT_WEIGHTS or (at == _BIASED.get(self.op) and tensor.scales > 0))
        )


def operands(model: Any, graph: Any) -> tuple[Operand, ...]:
    """Every tensor of a subgraph, by index."""
    return tuple(_operand(model, index, graph.Tensors(index)) for index in range(graph.TensorsLength()))


def operators(model: Any, subgraph: int, tensors: tuple[Operand, ...]) -> Iterator[Operator]:
    """The ops of a subgraph in execution order."""
    graph, names = model.Subgraphs(subgraph), opcode_names(model)
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = model.OperatorCodes(operator.OpcodeIndex())
        yield Operator(
            subgraph=subgraph,
            index=index,
            op=names[operator.OpcodeIndex()],
            version=int(code.Version()),
            custom=code.CustomCode() is not None,
            inputs=tuple(tensors[at] if at >= 0 else None for at in indices(operator.InputsAsNumpy())),
            outputs=tuple(tensors[at] for at in indices(operator.OutputsAsNumpy()) if at >= 0),
            options=_options(operator),
        )


def with_unpacked_constants(operators: Sequence[Operator]) -> tuple[Operator, ...]:
    """The ops as a delegate that unpacks float16 or sparse constants by itself sees them: with those as constants."""
    constants = {
        (operator.subgraph, operator.outputs[0].index): replace(operator.outputs[0], constant=True)
        for operator in operators
        if unpacks_a_constant(operator)
    }
    return tuple(
        replace(
            operator,
            inputs=tuple(
                tensor and constants.get((operator.subgraph, tensor.index), tensor) for tensor in operator.inputs
            ),
        )
        for operator in operators
    )


def unpacks_a_constant(operator: Operator) -> bool:
    """Whether it makes a constant usable (float16 or sparse weights) and computes nothing."""
    return (
        operator.op in {"DEQUANTIZE", "DENSIFY"}
        and len(operator.outputs) == 1
        and len(operator.inputs) == 1
        and operator.inputs[0] is not None
        and operator.inputs[0].constant
    )


def indices(vector: Any) -> list[int]:
    """A flatbuffer's vector of integers; an absent one comes as the number 0."""
    return [int(at) for at in vector] if hasattr(vector, "__len__") else []


def _operand(model: Any, index: int, tensor: Any) -> Operand:
    shape = tuple(max(size, 1) if size < 0 else size for size in indices(tensor.ShapeAsNumpy()))
    signature = indices(tensor.ShapeSignatureAsNumpy())
    quantization = tensor.Quantization()
    buffer = model.Buffers(tensor.Buffer()) if tensor.Buffer() < model.BuffersLength() else None
    size = 0 if buffer is None else buffer.DataLength() or int(buffer.Size())
    dtype = dtype_of(tensor)
    return Operand(
        index=index,
        name=(tensor.Name() or b"").decode("utf-8", "replace"),
        dtype=dtype,
        shape=shape,
        dynamic_axes=tuple(axis for axis, size in enumerate(signature) if size < 0),
        buffer=int(tensor.Buffer()),
        constant=buffer is not None and (size > 0 or not buffer.DataIsNone()),
        constant_bytes=size,
        scales=0 if quantization is None else quantization.ScaleLength(),
        scale=_scale(quantization),
        blockwise=quantization is not None and quantization.DetailsType() > 1,
        values=_values(buffer, dtype, size),
    )


def _scale(quantization: Any) -> tuple[float, int] | None:
    if quantization is None or quantization.ScaleLength() != 1:
        return None
    return float(quantization.Scale(0)), int(quantization.ZeroPoint(0)) if quantization.ZeroPointLength() else 0


def _values(buffer: Any, dtype: str, size: int) -> tuple[int, ...] | None:
    import numpy as np

    if buffer is None or not 0 < size <= _MOST_VALUES * _VALUE_BYTES.get(dtype, 0) or not buffer.DataLength():
        return None
    return tuple(int(value) for value in np.frombuffer(buffer.DataAsNumpy().tobytes(), np.dtype(dtype)))


def _options(operator: Any) -> dict[str, float]:
    from ai_edge_litert import schema_py_generated as schema

    table, kind = operator.BuiltinOptions(), _option_types().get(operator.BuiltinOptionsType())
    if table is None or kind is None:
        return {}
    options = getattr(schema, kind)()
    options.Init(table.Bytes, table.Pos)
    found = {name: getattr(options, accessor)() for name, accessor in _accessors(kind)}
    return {name: value for name, value in found.items() if isinstance(value, (int, float))}


def option_names(kind: str) -> tuple[str, ...]:
    """The fields of an options table of the schema, ``Conv2DOptions``, as :attr:`Operator.options` names them."""
    return tuple(name for name, _ in _accessors(kind))


@functools.cache
def _option_types() -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {
        value: name for name, value in vars(schema.BuiltinOptions).items() if isinstance(value, int) and name != "NONE"
    }


@functools.cache
def _accessors(kind: str) -> tuple[tuple[str, str], ...]:
    """``(snake_case name, accessor)`` of the fields of an options table that take no argument."""
    from ai_edge_litert import schema_py_generated as schema

    fields = vars(getattr(schema, f"{kind}T")())
    return tuple((_snake(name), name[0].upper() + name[1:]) for name, value in fields.items() if value is not None)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
