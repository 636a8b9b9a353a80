"""InstanceNormalization between a Reshape to (N, groups, rest) and one back → GroupNormalization.

Exact: both take each group of channels of each sample off its mean and divide by its deviation; with a scale of ones
and a bias of zeros there is nothing else. torch's exporters write ``nn.GroupNorm`` so. PoolFormer asked for it: between
the two reshapes the image has no channels, and had to be brought out of channels-last for each of its 24 norms.

The op as it is now came with operator set 21. All that 21 changes in others is to allow more element types, so a model
of 20 becomes one of 21 by saying so.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.graph import constant, input_of, new_constant, nodes, number, opset, sizes, sole_user
from convert.rewrites.note import RewriteNote

NAME = "group_norm"
_LEAST_VERSION, _ITS_VERSION = 20, 21


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Replace such triples."""
    if opset(model) < _LEAST_VERSION:
        return ()
    notes = []
    for norm in nodes(model, "InstanceNormalization"):
        before, after = norm.inputs[0].producer() if norm.inputs[0] else None, sole_user(norm.outputs[0])
        if before is None or after is None or before.op_type != "Reshape" or after.op_type != "Reshape":
            continue
        reason = _obstacle(before, norm, after)
        if reason is None:
            _replace(before, norm, after)
            model.graph.opset_imports[""] = max(opset(model), _ITS_VERSION)
        notes.append(RewriteNote(NAME, describe(norm), reason is None, reason or "a reshape to groups and back"))
    return tuple(notes)


def _obstacle(before: ir.Node, norm: ir.Node, after: ir.Node) -> str | None:
    image, grouped, result = sizes(before.inputs[0]), sizes(norm.inputs[0]), sizes(after.outputs[0])
    if image is None or grouped is None or result is None or len(grouped) != 3 or len(image) < 3:
        return f"{image} as {grouped} is no image in groups"
    groups, channels = grouped[1], image[1]
    if None in image[1:] or groups is None or channels is None or channels % groups:
        return f"the sizes {image} are not all known, or {groups} groups do not divide {channels} channels"
    if image[0] != grouped[0] or result != image:
        return f"the batch does not stay the first axis from {image} over {grouped} to {result}"
    scale, bias = constant(input_of(norm, 1)), constant(input_of(norm, 2))
    if scale is None or bias is None or (scale != 1).any() or (bias != 0).any():
        return "it scales its groups"
    return None


def _replace(before: ir.Node, norm: ir.Node, after: ir.Node) -> None:
    image, output = before.inputs[0], after.outputs[0]
    assert image is not None
    assert norm.graph is not None
    channels, groups = (sizes(value)[1] for value in (image, norm.inputs[0]))  # type: ignore[index]
    assert channels is not None
    ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    node = ir.node(
        "GroupNormalization",
        [image, new_constant(norm, ones, "scale"), new_constant(norm, zeros, "bias")],
        {"num_groups": groups, "epsilon": number(norm, "epsilon", 1e-5)},
        name=norm.name,
        metadata_props=dict(norm.metadata_props),
    )
    norm.graph.insert_before(norm, node)
    made = node.outputs[0]
    made.name, made.shape, made.type = f"{output.name}.normalised", output.shape, output.type
    if output.is_graph_output():
        made.name, output.name = output.name, f"{output.name}.removed"
    output.replace_all_uses_with(made, replace_graph_outputs=True)
    norm.graph.remove([after, norm], safe=True)
