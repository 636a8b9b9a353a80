"""BatchNormalization right after Conv, ConvTranspose or Gemm → other weights and bias.

In evaluation ``y = (x - mean) / sqrt(var + epsilon) * gamma + beta`` is one factor and one term a channel, and the
layer before is linear in its weights. Exact up to rounding: computed in float64, rounded once to the weights' own type.
torch's newer exporter does this for convolutions; what it leaves, and what other exporters write, comes here.
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
    nodes,
    number,
    set_weight,
    sole_user,
)
from convert.rewrites.note import RewriteNote

NAME = "batch_norm_after"
_LINEAR = ("Conv", "ConvTranspose", "Gemm")


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Fold every batch norm into the linear op before it, where that op is used by nothing else."""
    notes = (_rewrite_one(node) for node in nodes(model, "BatchNormalization"))
    return tuple(note for note in notes if note is not None)


def _rewrite_one(node: ir.Node) -> RewriteNote | None:
    source = node.inputs[0]
    linear = None if source is None else source.producer()
    if source is None or linear is None or linear.op_type not in _LINEAR:
        return None
    subject = describe(node)
    affine, weight = affine_of(node), constant(input_of(linear, 1))
    if affine is None:
        return RewriteNote(NAME, subject, False, "its statistics are not constants, or it is in training mode")
    if weight is None:
        return RewriteNote(NAME, subject, False, f"the weights of the {linear.op_type} before it are not constants")
    if sole_user(source) is not node or not can_bypass(node, source):
        return RewriteNote(NAME, subject, False, f"the output of the {linear.op_type} before it is used elsewhere too")
    bias = _bias(linear, affine.scale.size)
    if bias is None:
        return RewriteNote(
            NAME, subject, False, f"the bias of the {linear.op_type} before it is no constant per channel"
        )
    scaled = _scaled(linear, weight, affine)
    set_weight(linear, 1, scaled.astype(weight.dtype), "weight")
    set_weight(linear, 2, (bias * affine.scale + affine.shift).astype(weight.dtype), "bias")
    if linear.op_type == "Gemm":
        linear.attributes["beta"] = ir.AttrFloat32("beta", 1.0)
    bypass(node, source)
    return RewriteNote(NAME, subject, True, f"folded into the {linear.op_type} before it")


def _bias(linear: ir.Node, channels: int) -> Floats | None:
    given = input_of(linear, 2)
    if given is None:
        return np.zeros(channels)
    bias = constant(given)
    if bias is None or bias.size not in (1, channels) or (bias.ndim and bias.shape[-1] != bias.size):
        return None
    factor = number(linear, "beta", 1.0) if linear.op_type == "Gemm" else 1.0
    return np.broadcast_to(bias.astype(np.float64).reshape(-1) * factor, (channels,))


def _scaled(linear: ir.Node, weight: Array, affine: Affine) -> Floats:
    exact, scale = weight.astype(np.float64), affine.scale
    if linear.op_type == "Gemm":
        return exact * (scale[:, None] if integer(linear, "transB", 0) else scale)
    if linear.op_type == "Conv":
        return exact * scale.reshape(-1, *[1] * (weight.ndim - 1))
    groups = integer(linear, "group", 1)
    grouped = exact.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)
    return (grouped * scale.reshape(groups, 1, weight.shape[1], 1)).reshape(weight.shape)
