"""A multiplication by one number after a linear layer → that layer's weights and bias, multiplied.

Between the two there may be whatever only moves entries (Reshape, Transpose, Squeeze …), and a product of two computed
matrices, of which the left one is multiplied. Exact up to rounding, in float64: ``s (x W + b) = x (s W) + s b``.
Attention's ``1 / √d`` asked for it: exporters multiply the queries and the keys by its root, two ops a layer.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.graph import (
    Array,
    bypass,
    can_bypass,
    constant,
    constant_sizes,
    input_of,
    nodes,
    set_weight,
    sizes,
)
from convert.rewrites.note import RewriteNote

NAME = "scaled_weights"

_MOVES_ENTRIES = frozenset({"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity"})


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Fold every such factor."""
    notes = []
    for node in nodes(model, "Mul", "Div"):
        found = _factor(node)
        if found is None:
            continue
        source, factor = found
        linear = _linear_before(source, node)
        if linear is None or not can_bypass(node, source):
            continue
        notes.append(RewriteNote(NAME, describe(node), True, f"folded into the weights of {describe(linear)}"))
        _scale(linear, factor)
        bypass(node, source)
    return tuple(notes)


def _factor(node: ir.Node) -> tuple[ir.Value, float] | None:
    """What is multiplied, and by which number."""
    for index in (1, 0) if node.op_type == "Mul" else (1,):
        factor, source = node.inputs[index], node.inputs[1 - index]
        number = _single_number(factor)
        shape = sizes(source)
        if number is None or source is None or number.dtype.kind != "f":
            continue
        if number.ndim > (1 if shape is None else len(shape)):
            continue
        value = float(number.reshape(-1)[0])
        if np.isfinite(value) and (node.op_type == "Mul" or value != 0):
            return source, value if node.op_type == "Mul" else 1 / value
    return None


def _single_number(value: ir.Value | None) -> Array | None:
    shape = constant_sizes(value)
    return constant(value) if shape is not None and math.prod(shape) == 1 else None


def _linear_before(value: ir.Value | None, user: ir.Node) -> ir.Node | None:
    """The MatMul, Conv, Gemm or Add of a bias whose result reaches ``user`` unchanged, and nobody else."""
    while value is not None and _is_read_only_by(value, user):
        node = value.producer()
        if node is None:
            return None
        if _is_linear(node):
            return node
        if node.op_type not in _MOVES_ENTRIES and not _is_product_of_computed(node):
            return None
        value, user = node.inputs[0], node
    return None


def _is_read_only_by(value: ir.Value, user: ir.Node) -> bool:
    """Whether nobody else reads the numbers; reading the shape is no matter."""
    readers = {use.node for use in value.uses() if use.node.op_type != "Shape"}
    return readers == {user} and not value.is_graph_output() and sum(each is value for each in user.inputs) == 1


def _is_product_of_computed(node: ir.Node) -> bool:
    return node.op_type == "MatMul" and all(constant_sizes(value) is None for value in node.inputs)


def _is_linear(node: ir.Node) -> bool:
    if node.op_type == "Add":
        bias = _bias_index(node)
        if bias is None:
            return False
        product = node.inputs[1 - bias]
        producer = None if product is None or not _is_read_only_by(product, node) else product.producer()
        return producer is not None and _has_weight(producer)
    return _has_weight(node)


def _has_weight(node: ir.Node) -> bool:
    if node.op_type not in ("MatMul", "Conv", "Gemm") or constant_sizes(input_of(node, 1)) is None:
        return False
    return node.op_type == "MatMul" or input_of(node, 2) is None or constant_sizes(input_of(node, 2)) is not None


def _bias_index(add: ir.Node) -> int | None:
    return next((index for index in (1, 0) if constant_sizes(add.inputs[index]) is not None), None)


def _scale(linear: ir.Node, factor: float) -> None:
    if linear.op_type == "Add":
        bias = _bias_index(linear)
        assert bias is not None
        _multiply(linear, bias, factor)
        product = linear.inputs[1 - bias]
        producer = None if product is None else product.producer()
        assert producer is not None
        linear = producer
    _multiply(linear, 1, factor)
    if linear.op_type in ("Conv", "Gemm") and input_of(linear, 2) is not None:
        _multiply(linear, 2, factor)


def _multiply(node: ir.Node, index: int, factor: float) -> None:
    array = constant(input_of(node, index))
    assert array is not None
    set_weight(node, index, (array.astype(np.float64) * factor).astype(array.dtype), f"scaled{index}")
