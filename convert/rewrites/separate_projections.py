"""One MatMul whose result is cut into queries, keys and values → a MatMul for each of them.

Matches MatMul with a constant matrix, perhaps Add of a constant, Reshape that cuts the last axis, perhaps Transpose,
and then nothing but picks of single entries along one of the axes that were cut (Gather, or Slice and Squeeze).
Exact: each column of a matrix product depends on its own column of the weights only. ``Linear(768, 3 · 768)``,
``reshape``, ``permute`` and ``unbind`` of ViT and Swin asked for it: LiteRT took 10.9 ms for 197 tokens, and 7.1 ms so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.graph import Array, constant, input_of, integer, ints, new_constant, nodes, sizes, sole_user
from convert.rewrites.note import RewriteNote

NAME = "separate_projections"


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Separate every such product."""
    notes = []
    for node in nodes(model, "MatMul"):
        projection = _projection(node)
        if projection is None:
            continue
        for pick in projection.picks:
            _project_alone(projection, pick)
        notes.append(RewriteNote(NAME, describe(node), True, f"{len(projection.picks)} parts of it are used apart"))
    return tuple(notes)


@dataclass(frozen=True)
class _Pick:
    """Entry ``index`` of the axis, as the value ``output``."""

    axis: int
    index: int
    output: ir.Value


@dataclass(frozen=True)
class _Projection:
    matmul: ir.Node
    weight: Array
    add: ir.Node | None
    bias: Array | None
    cut: tuple[int | None, ...]
    """The sizes after the Reshape."""
    first: int
    """From this axis on, ``cut`` is the last axis of the product."""
    permutation: tuple[int, ...]
    picks: tuple[_Pick, ...]

    @property
    def axis(self) -> int:
        """The axis of ``cut`` along which entries are picked."""
        return self.permutation[self.picks[0].axis]


def _projection(matmul: ir.Node) -> _Projection | None:
    weight = constant(input_of(matmul, 1))
    if weight is None or weight.ndim != 2 or constant(input_of(matmul, 0)) is not None:
        return None
    node, add, bias = sole_user(matmul.outputs[0]), None, None
    if node is not None and node.op_type == "Add":
        add, bias = node, _vector(node, matmul.outputs[0], weight.shape[1])
        node = sole_user(node.outputs[0]) if bias is not None else None
    if node is None or node.op_type != "Reshape":
        return None
    cut = sizes(node.outputs[0])
    first = None if cut is None else _first_of_last_axis(cut, weight.shape[1])
    if cut is None or first is None or cut.count(None) > 1 or 0 in cut:
        return None
    value, permutation = node.outputs[0], tuple(range(len(cut)))
    follower = sole_user(value)
    if follower is not None and follower.op_type == "Transpose":
        value, permutation = follower.outputs[0], ints(follower, "perm", permutation[::-1])
    picks = _picks(value, len(cut))
    if picks is None or permutation[picks[0].axis] < first:
        return None
    return _Projection(matmul, weight, add, bias, cut, first, permutation, picks)


def _vector(add: ir.Node, product: ir.Value, width: int) -> Array | None:
    other = add.inputs[1] if add.inputs[0] is product else add.inputs[0]
    bias = constant(other)
    return bias if bias is not None and bias.shape == (width,) else None


def _first_of_last_axis(cut: tuple[int | None, ...], width: int) -> int | None:
    for first in range(len(cut) - 1, -1, -1):
        trailing = [size for size in cut[first:] if size is not None]
        if len(trailing) < len(cut) - first:
            return None
        if math.prod(trailing) == width:
            return first
    return None


def _picks(value: ir.Value, rank: int) -> tuple[_Pick, ...] | None:
    """The entries that are picked, all along one axis; ``None`` if the value is used in any other way."""
    picks = [_pick(use.node, value, rank) for use in value.uses()]
    found = [pick for pick in picks if pick is not None]
    if value.is_graph_output() or len(found) < 2 or len(found) < len(picks):
        return None
    return tuple(found) if len({pick.axis for pick in found}) == 1 else None


def _pick(node: ir.Node, value: ir.Value, rank: int) -> _Pick | None:
    if node.inputs[0] is not value or node.outputs[0].is_graph_output():
        return None
    if node.op_type == "Gather":
        index = constant(input_of(node, 1))
        axis = integer(node, "axis", 0) % rank
        return None if index is None or index.ndim else _Pick(axis, int(index), node.outputs[0])
    if node.op_type != "Slice":
        return None
    start, end, axis = (_single(node, index) for index in (1, 2, 3))
    squeeze = sole_user(node.outputs[0])
    if start is None or start < 0 or end != start + 1 or axis is None or input_of(node, 4) is not None:
        return None
    if squeeze is None or squeeze.op_type != "Squeeze" or squeeze.outputs[0].is_graph_output():
        return None
    dropped = _single(squeeze, 1)
    return (
        _Pick(axis % rank, start, squeeze.outputs[0]) if dropped is not None and (dropped - axis) % rank == 0 else None
    )


def _single(node: ir.Node, index: int) -> int | None:
    """The one integer of a constant input."""
    array = constant(input_of(node, index))
    return int(array.item()) if array is not None and array.size == 1 else None


def _project_alone(projection: _Projection, pick: _Pick) -> None:
    """The MatMul, Add, Reshape and Transpose of one pick, put before the node that had picked it."""
    matmul, axis, first = projection.matmul, projection.axis, projection.first
    trailing = [int(size or 0) for size in projection.cut[first:]]
    columns = np.arange(math.prod(trailing)).reshape(trailing).take(pick.index, axis - first).reshape(-1)
    place = pick.output.producer()
    assert place is not None
    weight = new_constant(place, np.ascontiguousarray(projection.weight[:, columns]), "weight")
    value = _node(place, "MatMul", matmul, matmul.inputs[0], weight)
    if projection.add is not None and projection.bias is not None:
        bias = new_constant(place, projection.bias[columns], "bias")
        value = _node(place, "Add", projection.add, value, bias)
    kept = [old for old in range(len(projection.cut)) if old != axis]
    target = [-1 if (size := projection.cut[old]) is None else size for old in kept]
    shape = new_constant(place, np.array(target, np.int64), "shape")
    value = _node(place, "Reshape", matmul, value, shape)
    permutation = [kept.index(old) for old in projection.permutation if old != axis]
    if permutation != sorted(permutation):
        value = _node(place, "Transpose", matmul, value, perm=permutation)
    value.shape, value.dtype = pick.output.shape, pick.output.dtype
    pick.output.replace_all_uses_with(value)


def _node(place: ir.Node, op_type: str, origin: ir.Node, *inputs: ir.Value | None, **attributes: object) -> ir.Value:
    """A new node before ``place``, with the source line of ``origin``."""
    made = ir.node(op_type, inputs, attributes)  # type: ignore[arg-type]
    made.metadata_props.update(origin.metadata_props)
    made.outputs[0].dtype = origin.outputs[0].dtype
    assert place.graph is not None
    place.graph.insert_before(place, made)
    return made.outputs[0]
