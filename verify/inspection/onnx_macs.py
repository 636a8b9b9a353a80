"""Multiply-accumulates of one ONNX node from the shapes of its tensors; ``None`` where they are not known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Shapes = Mapping[str, tuple[int | None, ...]]

_RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
_CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}
"""Which input is the kernel."""
_PRODUCTS = {"MatMul": 0, "MatMulInteger": 0, "QLinearMatMul": 0}
MULTIPLYING = frozenset({*_RECURRENT, *_CONVOLUTIONS, *_PRODUCTS, "ConvTranspose", "Gemm", "Einsum", "Attention"})


def node_macs(node: Any, shapes: Shapes) -> int | None:
    """0 for an op that multiplies nothing (elementwise ops)."""
    if node.op_type not in MULTIPLYING:
        return 0
    try:
        return _macs(node, shapes)
    except (KeyError, IndexError, TypeError, ValueError):  # a shape is missing, short or symbolic
        return None


def _macs(node: Any, shapes: Shapes) -> int | None:
    if node.op_type == "Gemm":
        return _gemm(node, shapes)
    inputs = [shapes[name] if name else () for name in node.input]
    if node.op_type in _CONVOLUTIONS:
        kernel = inputs[_CONVOLUTIONS[node.op_type]]
        return _product(shapes[node.output[0]]) * _product(kernel[1:])
    if node.op_type == "ConvTranspose":
        return _product(inputs[0]) * _product(inputs[1][1:])
    if node.op_type in _PRODUCTS:
        return _product(shapes[node.output[0]]) * _product(inputs[0][-1:])
    if node.op_type in _RECURRENT:
        return _recurrent(inputs)
    return _einsum(node, inputs) if node.op_type == "Einsum" else None


def _recurrent(inputs: list[tuple[int | None, ...]]) -> int:
    """Of every step, over the rows of all gates: the input's features and the state's."""
    directions, rows, features = inputs[1]
    return _product(inputs[0][:2]) * _product((directions, rows)) * (_product((features,)) + _product(inputs[2][-1:]))


def _gemm(node: Any, shapes: Shapes) -> int:
    """The sum is as long as the weights say, where the input's shape does not."""
    flags = {attribute.name: attribute.i for attribute in node.attribute}
    weights = shapes[node.input[1]]
    made, summed = (weights[0], weights[1]) if flags.get("transB") else (weights[1], weights[0])
    output = shapes.get(node.output[0]) or (shapes[node.input[0]][1 if flags.get("transA") else 0], made)
    return _product(output) * _product((summed,))


def _einsum(node: Any, inputs: list[tuple[int | None, ...]]) -> int | None:
    """The product over all indices, for two operands."""
    equation = next(attribute.s for attribute in node.attribute if attribute.name == "equation").decode()
    terms = equation.replace(" ", "").split("->")[0].split(",")
    if len(terms) != 2 or "." in equation:
        return None
    sizes: dict[str, int | None] = {}
    for term, shape in zip(terms, inputs, strict=True):
        sizes.update(zip(term, shape, strict=True))
    return _product(tuple(sizes.values()))


def _product(sizes: tuple[int | None, ...]) -> int:
    """Raises ``TypeError`` where a size is not known."""
    if None in sizes:
        raise TypeError("a size is symbolic")
    return math.prod(size for size in sizes if size is not None)
