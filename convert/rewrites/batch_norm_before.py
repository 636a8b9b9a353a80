"""BatchNormalization right before Gemm or an unpadded Conv → other weights and bias.

``W (s x + t) + b = (W s) x + (W t + b)``. Exact up to rounding, computed in float64. Not with padding: the convolution
pads after the batch norm, with 0 rather than with what the batch norm makes of 0. LeViT's and EfficientFormer's heads
(batch norm, then linear) asked for it.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.batch_norm import Affine, Floats, affine_of
from convert.rewrites.graph import (
    Array,
    bypass,
    can_bypass,
    constant,
    input_of,
    integer,
    ints,
    nodes,
    number,
    set_weight,
    sole_user,
    string,
)
from convert.rewrites.note import RewriteNote

NAME = "batch_norm_before"


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Fold every batch norm into the linear op after it, where nothing else reads the batch norm."""
    notes = (_rewrite_one(node) for node in nodes(model, "BatchNormalization"))
    return tuple(note for note in notes if note is not None)


def _rewrite_one(node: ir.Node) -> RewriteNote | None:
    source, linear = node.inputs[0], sole_user(node.outputs[0])
    if (
        source is None
        or linear is None
        or linear.op_type not in ("Conv", "Gemm")
        or linear.inputs[0] is not node.outputs[0]
    ):
        return None
    subject = describe(node)
    affine, weight = affine_of(node), constant(input_of(linear, 1))
    bias = constant(input_of(linear, 2))
    if affine is None:
        return RewriteNote(NAME, subject, False, "its statistics are not constants, or it is in training mode")
    if weight is None or (bias is None and input_of(linear, 2) is not None):
        return RewriteNote(NAME, subject, False, f"the weights of the {linear.op_type} after it are not constants")
    reason = _obstacle(linear)
    if reason is not None or not can_bypass(node, source):
        return RewriteNote(NAME, subject, False, reason or "it is between an input and an output of the graph")
    scaled, term = (
        _folded_conv(linear, weight, affine) if linear.op_type == "Conv" else _folded_gemm(linear, weight, affine)
    )
    own = np.zeros(1) if bias is None else bias.astype(np.float64) * _beta(linear)
    set_weight(linear, 1, scaled.astype(weight.dtype), "weight")
    set_weight(linear, 2, (own + term).astype(weight.dtype), "bias")
    if linear.op_type == "Gemm":
        linear.attributes["beta"] = ir.AttrFloat32("beta", 1.0)
    bypass(node, source)
    return RewriteNote(NAME, subject, True, f"folded into the {linear.op_type} after it")


def _obstacle(linear: ir.Node) -> str | None:
    if linear.op_type == "Gemm":
        return "the Gemm after it transposes its input" if integer(linear, "transA", 0) else None
    padded = any(ints(linear, "pads", ())) or string(linear, "auto_pad", "NOTSET") not in ("NOTSET", "VALID")
    return "the Conv after it pads with 0 after the batch norm" if padded else None


def _beta(linear: ir.Node) -> float:
    return number(linear, "beta", 1.0) if linear.op_type == "Gemm" else 1.0


def _folded_gemm(linear: ir.Node, weight: Array, affine: Affine) -> tuple[Floats, Floats]:
    exact = weight.astype(np.float64)
    transposed = bool(integer(linear, "transB", 0))
    scaled = exact * (affine.scale if transposed else affine.scale[:, None])
    term = (exact if transposed else exact.T) @ affine.shift
    return scaled, term * number(linear, "alpha", 1.0)


def _folded_conv(linear: ir.Node, weight: Array, affine: Affine) -> tuple[Floats, Floats]:
    """``weight`` is (out, in / groups, *kernel); output channel ``o`` reads group ``o // (out / groups)``."""
    groups = integer(linear, "group", 1)
    exact = weight.astype(np.float64).reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)
    scale = affine.scale.reshape(groups, 1, weight.shape[1], 1)
    shift = affine.shift.reshape(groups, 1, weight.shape[1], 1)
    return (exact * scale).reshape(weight.shape), (exact * shift).sum(axis=(2, 3)).reshape(-1)
