"""A Reshape whose shape the graph computes, although only the batch is dynamic in it → a constant shape with one -1.

Exact: a reshape keeps the number of elements, so one unknown size follows from the others, as long as none of those is
0. Exports of ``x.view(x.size(0), -1)`` and its like asked for it: Shape, Gather and Concat chains around the batch that
a phone would run, and that onnx2tf dies on.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.computed_sizes import computed_sizes
from convert.rewrites.graph import constant, input_of, integer, new_constant, nodes, sizes
from convert.rewrites.note import RewriteNote

NAME = "static_reshape"


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Replace such computed shapes."""
    notes = []
    for node in nodes(model, "Reshape"):
        if constant(input_of(node, 1)) is not None:
            continue
        _take_up_named_shape(node)
        _say_what_is_computed(node)
        shape = sizes(node.outputs[0])
        reason = _obstacle(shape)
        if reason is None and shape is not None:
            target = np.array([-1 if size is None else size for size in shape], np.int64)
            node.replace_input_with(1, new_constant(node, target, "shape"))
            notes.append(RewriteNote(NAME, describe(node), True, f"its output is always {target.tolist()}"))
        else:
            notes.append(RewriteNote(NAME, describe(node), False, reason or ""))
    return tuple(notes)


def _take_up_named_shape(node: ir.Node) -> None:
    """What is reshaped to the shape of another value has that value's sizes, which shape inference does not see."""
    target = node.inputs[1]
    source = target.producer() if target is not None else None
    if source is None or source.op_type != "Shape" or integer(source, "start", 0) or "end" in source.attributes:
        return
    named = source.inputs[0]
    if named is not None and named.shape is not None:
        node.outputs[0].shape = named.shape


def _say_what_is_computed(node: ir.Node) -> None:
    """Shape inference gives up on sizes taken from a Shape; the graph still says which they are (torch's attention)."""
    output, computed = node.outputs[0], computed_sizes(input_of(node, 1))
    if computed is not None and (output.shape is None or output.shape.has_unknown_dim()):
        output.shape = ir.Shape(computed)


def _obstacle(shape: tuple[int | None, ...] | None) -> str | None:
    if shape is None:
        return "its output's rank is not known"
    if shape.count(None) > 1:
        return f"{shape.count(None)} of its output's sizes are dynamic; one may be"
    return "its output is empty" if 0 in shape else None
