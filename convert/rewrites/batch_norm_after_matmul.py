"""BatchNormalization after a MatMul with constant weights → other weights, and an Add.

Also with a Reshape between that keeps the last axis, from ``(N, tokens, channels)`` to ``(N · tokens, channels)``.
Exact up to rounding, computed in float64: ``(x W) s + t = x (W s) + t``. LeViT asked for it: a batch norm on flattened
tokens follows each of its linear layers, 46 multiplications that are gone, and a matrix product with a bias for int8.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.batch_norm import affine_of
from convert.rewrites.graph import (
    bypass,
    can_bypass,
    constant,
    input_of,
    new_constant,
    nodes,
    set_weight,
    sizes,
    sole_user,
)
from convert.rewrites.note import RewriteNote

NAME = "batch_norm_after_matmul"


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Fold every such batch norm whose matrix product is used by nothing else."""
    notes = (_rewrite_one(node) for node in nodes(model, "BatchNormalization"))
    return tuple(note for note in notes if note is not None)


def _rewrite_one(node: ir.Node) -> RewriteNote | None:
    matmul = _matmul_before(node)
    if matmul is None:
        return None
    subject = describe(node)
    affine, weight = affine_of(node), constant(input_of(matmul, 1))
    if affine is None:
        return RewriteNote(NAME, subject, False, "its statistics are not constants, or it is in training mode")
    if weight is None or weight.ndim != 2:
        return RewriteNote(NAME, subject, False, "the second factor of the MatMul before it is no constant matrix")
    set_weight(matmul, 1, (weight.astype(np.float64) * affine.scale).astype(weight.dtype), "weight")
    shift = new_constant(node, affine.shift.astype(weight.dtype), "bias")
    node.op_type = "Add"
    node.attributes.clear()
    node.resize_inputs(2)
    node.replace_input_with(1, shift)
    _add_before_reshape(node, matmul)
    return RewriteNote(NAME, subject, True, "folded into the MatMul before it")


def _add_before_reshape(add: ir.Node, matmul: ir.Node) -> None:
    """A vector along the last axis may as well be added before a Reshape that keeps it, where it is a layer's bias."""
    product, reshaped = matmul.outputs[0], add.inputs[0]
    if reshaped is None or reshaped is product or not can_bypass(add, reshaped):
        return
    reshape = reshaped.producer()
    assert reshape is not None
    assert reshape.graph is not None
    made = ir.node("Add", [product, add.inputs[1]])
    made.metadata_props.update(matmul.metadata_props)
    made.outputs[0].shape, made.outputs[0].type = product.shape, product.type
    made.outputs[0].name = f"{product.name}.biased"
    reshape.graph.insert_before(reshape, made)
    reshape.replace_input_with(0, made.outputs[0])
    bypass(add, reshaped)


def _matmul_before(node: ir.Node) -> ir.Node | None:
    """The MatMul whose last axis is the batch norm's channels, with nothing but a Reshape between them."""
    shape = sizes(node.inputs[0])
    producer = _sole_producer(node)
    if shape is None or len(shape) != 2 or producer is None:
        return None
    if producer.op_type == "Reshape" and _keeps_last_axis(producer):
        producer = _sole_producer(producer)
    return producer if producer is not None and producer.op_type == "MatMul" else None


def _sole_producer(node: ir.Node) -> ir.Node | None:
    source = node.inputs[0]
    return source.producer() if source is not None and sole_user(source) is node else None


def _keeps_last_axis(node: ir.Node) -> bool:
    before, after = sizes(node.inputs[0]), sizes(node.outputs[0])
    return bool(before and after) and before[-1] is not None and before[-1] == after[-1]  # type: ignore[index]
