"""Two dense layers of one input, added → one, with the sum of their weights.

Matches Add of two Gemm of the same value that nobody else reads, alike in their attributes. Exact up to rounding, in
float64. The heads of distilled nets asked for it (LeViT, EfficientFormer): the mean of two classifiers.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.graph import (
    bypass,
    can_bypass,
    constant,
    constant_sizes,
    input_of,
    integer,
    nodes,
    number,
    set_weight,
    sole_user,
)
from convert.rewrites.note import RewriteNote

NAME = "parallel_dense"


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Merge every such pair."""
    notes = []
    for add in nodes(model, "Add"):
        left, right = (_dense(value, add) for value in add.inputs)
        if left is None or right is None or not _are_alike(left, right) or not can_bypass(add, left.outputs[0]):
            continue
        notes.append(RewriteNote(NAME, describe(add), True, f"its layers became {describe(left)}"))
        _merge(left, right)
        bypass(add, left.outputs[0])
        if right.graph is not None:
            right.graph.remove(right, safe=True)
    return tuple(notes)


def _dense(value: ir.Value | None, add: ir.Node) -> ir.Node | None:
    """The Gemm that gives the value to nobody but ``add``, if its numbers are constants, taken as they are."""
    node = None if value is None or sole_user(value) is not add else value.producer()
    if node is None or node.op_type != "Gemm" or integer(node, "transA", 0):
        return None
    plain = number(node, "alpha", 1.0) == 1 and number(node, "beta", 1.0) == 1
    bias = input_of(node, 2)
    known = constant_sizes(input_of(node, 1)) is not None and (bias is None or len(constant_sizes(bias) or ()) == 1)
    return node if plain and known else None


def _are_alike(left: ir.Node, right: ir.Node) -> bool:
    same_form = integer(left, "transB", 0) == integer(right, "transB", 0)
    same_sizes = constant_sizes(left.inputs[1]) == constant_sizes(right.inputs[1])
    return left is not right and left.inputs[0] is right.inputs[0] and same_form and same_sizes


def _merge(left: ir.Node, right: ir.Node) -> None:
    for index, name in ((1, "weight"), (2, "bias")):
        arrays = [array for node in (left, right) if (array := constant(input_of(node, index))) is not None]
        if arrays:
            total = sum((array.astype(np.float64) for array in arrays), np.zeros(()))
            set_weight(left, index, total.astype(arrays[0].dtype), name)
