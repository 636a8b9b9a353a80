"""A Reshape of a Reshape → one Reshape; a Reshape to the sizes that its input has → nothing.

Exact: a reshape changes no order of entries, so that only the last sizes count. Declined where the last one copies a
size (a 0) of what lay between. LeViT asked for it: torch flattens its tokens for a batch norm and takes them apart
again, 46 times, which hid that its queries, keys and values are parts of one projection.
"""

from __future__ import annotations

import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.graph import bypass, can_bypass, constant, input_of, integer, nodes, sizes
from convert.rewrites.note import RewriteNote

NAME = "reshape_of_reshape"


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Join such pairs, and remove those that change nothing."""
    notes = []
    for node in nodes(model, "Reshape"):
        before = node.inputs[0].producer() if node.inputs[0] is not None else None
        if before is None or before.op_type != "Reshape" or before.domain not in ("", "ai.onnx"):
            continue
        source, output = before.inputs[0], node.outputs[0]
        if source is None or before.graph is None or before.graph is not node.graph or _copies_sizes(node):
            continue
        subject = describe(node)
        if _has_sizes_of(output, source) and can_bypass(node, source):
            bypass(node, source)
            notes.append(RewriteNote(NAME, subject, True, f"it gives back what {describe(before)} took"))
        else:
            node.replace_input_with(0, source)
            notes.append(RewriteNote(NAME, subject, True, f"it takes what {describe(before)} took"))
        if not before.outputs[0].uses() and not before.outputs[0].is_graph_output():
            before.graph.remove(before, safe=True)
    return tuple(notes)


def _copies_sizes(node: ir.Node) -> bool:
    target = constant(input_of(node, 1))
    return target is None or (bool((target == 0).any()) and not integer(node, "allowzero", 0))


def _has_sizes_of(value: ir.Value, source: ir.Value) -> bool:
    """Whether both are known to be of one shape: one dynamic size follows from the others, several by their names."""
    if value.shape is None or source.shape is None or sizes(value) != sizes(source):
        return False
    dynamic = [size for size in value.shape if isinstance(size, ir.SymbolicDim)]
    if len(dynamic) <= 1:
        return 0 not in value.shape.dims
    return value.shape.dims == source.shape.dims and all(size.value is not None for size in dynamic)
