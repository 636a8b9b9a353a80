"""A pool with kernel 1 and stride 1 → nothing.

Exact: each window is one element, whose maximum and average it is. AlexNet and VGG asked for it: their adaptive average
pool ends as ``AveragePool(kernel_shape=[1, 1])`` at the published input size, and TFLite would run it.
"""

from __future__ import annotations

import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.graph import bypass, can_bypass, ints, nodes
from convert.rewrites.note import RewriteNote

NAME = "identity_pool"


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Remove such pools."""
    notes = []
    for node in nodes(model, "AveragePool", "MaxPool"):
        source = node.inputs[0]
        if source is None or not _is_identity(node):
            continue
        subject = describe(node)
        if not can_bypass(node, source):
            notes.append(RewriteNote(NAME, subject, False, "the graph would give back an input or an output twice"))
            continue
        bypass(node, source)
        notes.append(RewriteNote(NAME, subject, True, "each window is one element"))
    return tuple(notes)


def _is_identity(node: ir.Node) -> bool:
    kernel = ints(node, "kernel_shape", (0,))
    strides = ints(node, "strides", (1,))
    return set(kernel) == {1} and set(strides) == {1} and not any(ints(node, "pads", ())) and len(node.outputs) == 1
