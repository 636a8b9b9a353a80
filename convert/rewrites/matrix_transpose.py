"""Reshape to one axis of matrices, Transpose of each, Reshape back → a Transpose of the last two axes.

Exact: the first reshape merges the leading axes, the last one splits them again into the same sizes, and between them
each matrix is transposed for itself. Torch's exporter writes ``key.transpose(-2, -1)`` so in every attention; as one
transpose it is absorbed by the matrix product, and heads need not be brought together for it.
"""

from __future__ import annotations

import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.graph import ints, nodes, sole_user
from convert.rewrites.note import RewriteNote

NAME = "matrix_transpose"


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Replace such triples."""
    notes = []
    for transpose in nodes(model, "Transpose"):
        before = transpose.inputs[0].producer() if transpose.inputs[0] is not None else None
        after = sole_user(transpose.outputs[0])
        if before is None or after is None or before.op_type != "Reshape" or after.op_type != "Reshape":
            continue
        if ints(transpose, "perm", ()) != (0, 2, 1):
            continue
        reason = _obstacle(before, transpose, after)
        if reason is None:
            _replace(before, transpose, after)
        notes.append(RewriteNote(NAME, describe(transpose), reason is None, reason or "its matrices lie side by side"))
    return tuple(notes)


def _obstacle(before: ir.Node, transpose: ir.Node, after: ir.Node) -> str | None:
    source, merged, result = (_shape(value) for value in (before.inputs[0], transpose.inputs[0], after.outputs[0]))
    if source is None or merged is None or result is None or len(source) != len(result) or len(source) < 3:
        return f"{source} over {merged} to {result} is no stack of matrices"
    if any(isinstance(size, ir.SymbolicDim) and size.value is None for size in (*source, *result)):
        return f"not all sizes of {source} and {result} have a name"
    if not all(isinstance(size, int) and size > 0 for size in source[-2:]):
        return f"the matrices of {source} are not of a known size"
    if source[-2:] != merged[1:] or result != (*source[:-2], source[-1], source[-2]):
        return f"{source} becomes {result} over {merged}, which is not the same matrices transposed"
    return None


def _shape(value: ir.Value | None) -> tuple[int | ir.SymbolicDim, ...] | None:
    return None if value is None or value.shape is None else tuple(value.shape.dims)


def _replace(before: ir.Node, transpose: ir.Node, after: ir.Node) -> None:
    source, output, graph = before.inputs[0], after.outputs[0], transpose.graph
    assert source is not None
    assert source.shape is not None
    assert graph is not None
    rank = len(source.shape)
    node = ir.node(
        "Transpose",
        [source],
        {"perm": [*range(rank - 2), rank - 1, rank - 2]},
        name=transpose.name,
        metadata_props=dict(transpose.metadata_props),
    )
    graph.insert_before(transpose, node)
    made = node.outputs[0]
    made.name, made.shape, made.type = f"{output.name}.transposed", output.shape, output.type
    if output.is_graph_output():
        made.name, output.name = output.name, f"{output.name}.removed"
    output.replace_all_uses_with(made, replace_graph_outputs=True)
    graph.remove([after, transpose], safe=True)
