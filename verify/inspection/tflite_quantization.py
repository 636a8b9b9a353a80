"""How the tensors of a ``.tflite`` file are quantized, and what in a quantized file still computes in float."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from verify.inspection.tflite_graph import Operand, Operator, indices
from verify.inspection.types import FloatIsland, Quantization, Scheme, TensorQuantization
from verify.runners.tflite_inspect import float_operators, quantized_kind

_FLOATS = frozenset({"float16", "float32", "float64", "bfloat16"})


def quantization_of(
    path: Path, model: Any, tensors: Sequence[Sequence[Operand]], operators: Sequence[Operator]
) -> Quantization:
    """Of the whole file; ``tensors`` are those of each subgraph."""
    kind = quantized_kind(path)
    quantized = tuple(_quantized_tensors(model, tensors))
    floats = sum(tensor.dtype in _FLOATS for those in tensors for tensor in those)
    islands = _islands(path, operators) if kind in {"int8", "dynamic_int8"} else ()
    return Quantization(kind, quantized, floats, islands)


def _quantized_tensors(model: Any, tensors: Sequence[Sequence[Operand]]) -> Iterator[TensorQuantization]:
    for number, those in enumerate(tensors):
        graph = model.Subgraphs(number)
        for tensor in those:
            parameters = graph.Tensors(tensor.index).Quantization()
            if parameters is not None and (tensor.scales or parameters.DetailsType()):
                yield _quantized(number, tensor, parameters)


def _quantized(subgraph: int, tensor: Operand, parameters: Any) -> TensorQuantization:
    scales = [float(scale) for scale in parameters.ScaleAsNumpy()] if tensor.scales else [0.0]
    zeros = indices(parameters.ZeroPointAsNumpy()) or [0]
    scheme: Scheme = "per axis" if tensor.scales > 1 else "per tensor" if tensor.scales else "blockwise"
    return TensorQuantization(
        subgraph=subgraph,
        index=tensor.index,
        name=tensor.name,
        dtype=tensor.dtype,
        shape=shape_of(tensor),
        constant=tensor.constant,
        scheme=scheme,
        scales=tensor.scales,
        scale_min=min(scales),
        scale_max=max(scales),
        zero_point_min=min(zeros),
        zero_point_max=max(zeros),
        axis=int(parameters.QuantizedDimension()) if scheme == "per axis" else None,
    )


def shape_of(tensor: Operand) -> tuple[int | str, ...]:
    """With the dynamic axes named: ``N`` for the batch, ``?`` for others."""
    return tuple(
        size if axis not in tensor.dynamic_axes else "N" if axis == 0 else "?" for axis, size in enumerate(tensor.shape)
    )


def _islands(path: Path, operators: Sequence[Operator]) -> tuple[FloatIsland, ...]:
    """Groups of ops that compute in float and are joined by the tensors that they pass on, largest first."""
    in_float = {(each.subgraph, each.output) for each in float_operators(path)}
    members = [operator for operator in operators if (operator.subgraph, operator.name) in in_float]
    group: dict[int, int] = {}
    makers: dict[tuple[int, int], int] = {}
    for number, operator in enumerate(members):
        group[number] = number
        for tensor in operator.inputs:
            maker = makers.get((operator.subgraph, tensor.index)) if tensor is not None else None
            if maker is not None:
                _join(group, number, maker)
        makers.update({(operator.subgraph, tensor.index): number for tensor in operator.outputs})
    islands: dict[int, list[Operator]] = {}
    for number, operator in enumerate(members):
        islands.setdefault(_root(group, number), []).append(operator)
    return tuple(
        FloatIsland(those[0].subgraph, tuple(Counter(each.op for each in those).most_common()), those[0].name)
        for those in sorted(islands.values(), key=len, reverse=True)
    )


def _root(group: dict[int, int], member: int) -> int:
    while group[member] != member:
        member = group[member]
    return member


def _join(group: dict[int, int], one: int, other: int) -> None:
    group[_root(group, one)] = _root(group, other)
