"""Counting the ops of a ``.tflite`` file: what it is made of, and what a quantized one still computes in float."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from verify.runners.tflite_file import dtype_of, open_model

OpCounts = tuple[tuple[str, int], ...]
"""Op type and how many, most frequent first, then by name."""

QuantizedKind = Literal["float16", "dynamic_int8", "int8"]

_FLOATING = frozenset({"float16", "float32", "float64", "bfloat16"})
_WEIGHT_INTEGERS = frozenset({"int4", "int8", "uint8", "int2"})
_QUANTIZED_INTEGERS = _WEIGHT_INTEGERS | {"int16"}
_BETWEEN_WORLDS = frozenset({"QUANTIZE", "DEQUANTIZE"})
_ONLY_REARRANGE = frozenset({"RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS"})
_ONLY_MEASURE = frozenset({"SHAPE", "RANK"})


def op_counts(path: Path) -> OpCounts:
    """Every op of every subgraph by type; raises ``ModelUnreadable``."""
    with open_model(path) as model:
        return _ranked(Counter(name for name, _, _ in _operators(model)))


def float_op_counts(path: Path) -> OpCounts:
    """The ops of a quantized file that still compute in float, by type; see :func:`float_operators`."""
    return _ranked(Counter(each.op for each in float_operators(path)))


@dataclass(frozen=True)
class FloatOperator:
    """One operator that computes in float; ``output`` names the first tensor that it gives."""

    op: str
    output: str
    subgraph: int


def float_operators(path: Path) -> tuple[FloatOperator, ...]:
    """The operators of a quantized file that still compute in float, subgraph by subgraph.

    An op counts when it takes or gives a float tensor and takes no integer weights (LiteRT's hybrid kernels, as in
    dynamic-range files, multiply in int8). Quantize and dequantize, and ops that only rearrange, do not count.
    """
    with open_model(path) as model:
        names = opcode_names(model)
        return tuple(
            FloatOperator(names[operator.OpcodeIndex()], _first_output(graph, operator), number)
            for number, graph in enumerate(_graphs(model))
            for operator in map(graph.Operators, range(graph.OperatorsLength()))
            if _computes_in_float(names[operator.OpcodeIndex()], graph, operator)
        )


def quantized_kind(path: Path) -> QuantizedKind | None:
    """How a file is quantized: integer activations, integer weights only, or float16 weights; ``None`` for float32.

    The names are those of :func:`verify.tolerance.quantized_budget`.
    """
    with open_model(path) as model:
        computed: set[str] = set()
        for _, graph, operator in _operators(model):
            computed |= {dtype_of(graph.Tensors(at)) for at in _indices(operator.OutputsAsNumpy())}
        stored = {dtype for graph in _graphs(model) for dtype in _tensor_dtypes(graph)}
    if computed & _QUANTIZED_INTEGERS:
        return "int8"
    if stored & _QUANTIZED_INTEGERS:
        return "dynamic_int8"
    return "float16" if "float16" in stored else None


def transpose_count(path: Path) -> int:
    """How many TRANSPOSE ops a file has: each is memory traffic that a channels-last graph does not need."""
    return dict(op_counts(path)).get("TRANSPOSE", 0)


def _graphs(model: Any) -> Iterator[Any]:
    return (model.Subgraphs(index) for index in range(model.SubgraphsLength()))


def _tensor_dtypes(graph: Any) -> set[str]:
    return {dtype_of(graph.Tensors(index)) for index in range(graph.TensorsLength())}


def _operators(model: Any) -> Iterator[tuple[str, Any, Any]]:
    names = opcode_names(model)
    for graph in _graphs(model):
        for index in range(graph.OperatorsLength()):
            operator = graph.Operators(index)
            yield names[operator.OpcodeIndex()], graph, operator


def opcode_names(model: Any) -> list[str]:
    """The TFLite name of each of a model's operator codes; custom ops go by their own name."""
    from ai_edge_litert import schema_py_generated as schema

    builtin = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    names = []
    for index in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(index)
        # Files older than schema 3a hold the code in one byte; newer ones hold it in both fields or in the new one.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        custom = code.CustomCode()
        names.append(custom.decode() if custom else builtin.get(number, f"BUILTIN_{number}"))
    return names


def _computes_in_float(name: str, graph: Any, operator: Any) -> bool:
    if name in _BETWEEN_WORLDS | _ONLY_REARRANGE | _ONLY_MEASURE:
        return False
    inputs = {dtype_of(graph.Tensors(at)) for at in _indices(operator.InputsAsNumpy()) if at >= 0}
    outputs = {dtype_of(graph.Tensors(at)) for at in _indices(operator.OutputsAsNumpy())}
    return bool((inputs | outputs) & _FLOATING) and not inputs & _WEIGHT_INTEGERS


def _first_output(graph: Any, operator: Any) -> str:
    outputs = _indices(operator.OutputsAsNumpy())
    return str(graph.Tensors(outputs[0]).Name(), "utf-8") if outputs else ""


def _indices(vector: Any) -> list[int]:
    """An absent vector comes as the number 0, a present one as an array."""
    return [int(at) for at in vector] if hasattr(vector, "__len__") else []


def _ranked(counts: Counter[str]) -> OpCounts:
    return tuple(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
