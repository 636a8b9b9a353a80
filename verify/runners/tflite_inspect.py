"""Counting the ops of a ``.tflite`` file: what it is made of, and what a quantized one still computes in float."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
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


def op_counts(path: Path) -> OpCounts:
    """Every op of every subgraph by type; raises ``ModelUnreadable``."""
    with open_model(path) as model:
        return _ranked(Counter(name for name, _, _ in _operators(model)))


def float_op_counts(path: Path) -> OpCounts:
    """The ops of a quantized file that still compute in float.

    An op counts when it gives a float tensor and takes no integer weights (LiteRT's hybrid kernels, as in
    dynamic-range files, multiply in int8). Quantize and dequantize, and ops that only rearrange, do not count.
    """
    with open_model(path) as model:
        return _ranked(
            Counter(name for name, graph, operator in _operators(model) if _computes_in_float(name, graph, operator))
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
    if name in _BETWEEN_WORLDS or name in _ONLY_REARRANGE:
        return False
    inputs = {dtype_of(graph.Tensors(at)) for at in _indices(operator.InputsAsNumpy()) if at >= 0}
    outputs = {dtype_of(graph.Tensors(at)) for at in _indices(operator.OutputsAsNumpy())}
    return bool(outputs & _FLOATING) and not inputs & _WEIGHT_INTEGERS


def _indices(vector: Any) -> list[int]:
    """An absent vector comes as the number 0, a present one as an array."""
    return [int(at) for at in vector] if hasattr(vector, "__len__") else []


def _ranked(counts: Counter[str]) -> OpCounts:
    return tuple(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
