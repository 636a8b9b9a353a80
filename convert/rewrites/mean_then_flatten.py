"""ReduceMean over the spatial axes that keeps them, and a Reshape that drops them → ReduceMean that drops them.

Also GlobalAveragePool, which is that ReduceMean. Exact: the same means, in the same order. Every torchvision classifier
with ``AdaptiveAvgPool2d(1)`` and ``flatten`` asked for it: one op less, and no layout to think of between the two.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.graph import (
    bypass,
    can_bypass,
    constant,
    input_of,
    integer,
    ints,
    new_constant,
    nodes,
    opset,
    sizes,
    sole_user,
)
from convert.rewrites.note import RewriteNote

NAME = "mean_then_flatten"
_FIRST_MEAN_WITH_AXES_INPUT = 18


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Join such pairs."""
    notes = []
    for node in nodes(model, "ReduceMean", "GlobalAveragePool"):
        source = node.inputs[0]
        follower = sole_user(node.outputs[0])
        rank = None if sizes(source) is None else len(sizes(source) or ())
        if follower is None or rank is None or rank <= 2 or not _keeps_spatial_axes_as_ones(node, rank):
            continue
        if _drops_spatial_axes(follower, node.outputs[0]) and can_bypass(follower, node.outputs[0]):
            _join(node, follower, rank, version=opset(model))
            notes.append(
                RewriteNote(NAME, describe(node), True, f"the {follower.op_type} after it only drops axes of size 1")
            )
    return tuple(notes)


def _keeps_spatial_axes_as_ones(node: ir.Node, rank: int) -> bool:
    if node.op_type == "GlobalAveragePool":
        return True
    given = constant(input_of(node, 1))
    axes = ints(node, "axes", ()) if given is None else tuple(int(axis) for axis in given.reshape(-1))
    return bool(integer(node, "keepdims", 1)) and sorted(axis % rank for axis in axes) == list(range(2, rank))


def _drops_spatial_axes(node: ir.Node, source: ir.Value) -> bool:
    """Whether (N, C, 1, 1 …) becomes (N, C), with a static C."""
    before, after = sizes(source), sizes(node.outputs[0])
    if node.inputs[0] is not source or before is None or after is None or len(after) != 2:
        return False
    same_channels = before[1] is not None and before[1] == after[1]
    return same_channels and node.op_type in ("Reshape", "Flatten", "Squeeze")


def _join(node: ir.Node, follower: ir.Node, rank: int, *, version: int) -> None:
    mean, flat = node.outputs[0], follower.outputs[0]
    if node.op_type == "GlobalAveragePool":
        axes = np.arange(2, rank, dtype=np.int64)
        node.op_type = "ReduceMean"
        if version >= _FIRST_MEAN_WITH_AXES_INPUT:
            axes_input = new_constant(node, axes, "axes")
            node.resize_inputs(2)
            node.replace_input_with(1, axes_input)
        else:
            node.attributes["axes"] = ir.AttrInt64s("axes", [int(axis) for axis in axes])
    node.attributes["keepdims"] = ir.AttrInt64("keepdims", 0)
    mean.shape = flat.shape
    bypass(follower, mean)
