"""One MatMul whose result is cut into queries, keys and values → a MatMul for each of them.

Matches MatMul with a constant matrix, perhaps Add of a constant, perhaps Reshape that cuts the last axis, perhaps
Transpose, and then nothing but picks along one axis that was cut: Gather of one entry, Slice and Squeeze, Split.
Exact: each column of a matrix product depends on its own column of the weights only. ``Linear(768, 3 · 768)``,
``reshape``, ``permute`` and ``unbind`` of ViT and Swin asked for it: LiteRT took 10.9 ms for 197 tokens, and 7.1 ms so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.graph import (
    Array,
    constant,
    constant_sizes,
    input_of,
    integer,
    ints,
    new_constant,
    nodes,
    sizes,
    sole_user,
)
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
    """Entries ``start`` to ``stop`` of the axis, as the value ``output``; ``drops_axis`` if it is one entry."""

    axis: int
    start: int
    stop: int
    output: ir.Value
    drops_axis: bool = False


@dataclass(frozen=True)
class _Projection:
    matmul: ir.Node
    weight: Array
    add: ir.Node | None
    bias: Array | None
    is_reshaped: bool
    cut: tuple[int | None, ...]
    """The sizes after the Reshape, of the product if there is none."""
    first: int
    """From this axis on, ``cut`` is the last axis of the product."""
    permutation: tuple[int, ...]
    picks: tuple[_Pick, ...]

    @property
    def axis(self) -> int:
        """The axis of ``cut`` along which entries are picked."""
        return self.permutation[self.picks[0].axis]


def _projection(matmul: ir.Node) -> _Projection | None:
    shape = constant_sizes(input_of(matmul, 1))
    if shape is None or len(shape) != 2 or constant_sizes(input_of(matmul, 0)) is not None:
        return None
    value, add, bias = matmul.outputs[0], _follower(matmul.outputs[0], "Add"), None
    if add is not None:
        bias = _vector(add, value, shape[1])
        value = add.outputs[0]
        if bias is None:
            return None
    reshape = _follower(value, "Reshape")
    value = value if reshape is None else reshape.outputs[0]
    cut = sizes(value)
    first = None if cut is None else _first_of_last_axis(cut, shape[1])
    if cut is None or first is None or (reshape is not None and cut.count(None) > 1) or 0 in cut:
        return None
    permutation = tuple(range(len(cut)))
    transpose = _follower(value, "Transpose")
    if transpose is not None:
        value, permutation = transpose.outputs[0], ints(transpose, "perm", permutation[::-1])
    picks = _picks(value, len(cut))
    if picks is None or permutation[picks[0].axis] < first:
        return None
    if reshape is None and any(pick.drops_axis for pick in picks):  # single columns: nothing to gain
        return None
    weight = constant(input_of(matmul, 1))
    assert weight is not None
    return _Projection(matmul, weight, add, bias, reshape is not None, cut, first, permutation, picks)


def _follower(value: ir.Value, op_type: str) -> ir.Node | None:
    node = sole_user(value)
    return node if node is not None and node.op_type == op_type else None


def _vector(add: ir.Node, product: ir.Value, width: int) -> Array | None:
    other = add.inputs[1] if add.inputs[0] is product else add.inputs[0]
    return constant(other) if constant_sizes(other) == (width,) else None


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
    if value.is_graph_output():
        return None
    picks: list[_Pick] = []
    for use in value.uses():
        reader = _PICKERS.get(use.node.op_type)
        found = reader(use.node, rank) if reader is not None and use.idx == 0 else []
        if not found or any(pick.output.is_graph_output() for pick in found):
            return None
        picks += found
    return tuple(picks) if len(picks) > 1 and len({pick.axis for pick in picks}) == 1 else None


def _split(node: ir.Node, rank: int) -> list[_Pick]:
    axis = integer(node, "axis", 0) % rank
    picks, start = [], 0
    for output in node.outputs:
        shape = sizes(output)
        part = None if shape is None else shape[axis]
        if part is None:
            return []
        picks.append(_Pick(axis, start, start + part, output))
        start += part
    return picks


def _gather(node: ir.Node, rank: int) -> list[_Pick]:
    indices, index = constant(input_of(node, 1)), _single(node, 1)
    if indices is None or indices.ndim or index is None or index < 0:
        return []
    return [_Pick(integer(node, "axis", 0) % rank, index, index + 1, node.outputs[0], drops_axis=True)]


def _slice(node: ir.Node, rank: int) -> list[_Pick]:
    """A range of one entry, whose axis is squeezed away."""
    start, end, axis = (_single(node, index) for index in (1, 2, 3))
    squeeze = _follower(node.outputs[0], "Squeeze")
    if start is None or start < 0 or end != start + 1 or axis is None or input_of(node, 4) is not None:
        return []
    dropped = None if squeeze is None else _single(squeeze, 1)
    if squeeze is None or dropped is None or (dropped - axis) % rank:
        return []
    return [_Pick(axis % rank, start, end, squeeze.outputs[0], drops_axis=True)]


_PICKERS = {"Split": _split, "Gather": _gather, "Slice": _slice}


def _single(node: ir.Node, index: int) -> int | None:
    """The one integer of a constant input."""
    array = constant(input_of(node, index))
    return int(array.item()) if array is not None and array.size == 1 else None


def _project_alone(projection: _Projection, pick: _Pick) -> None:
    """The MatMul, Add, Reshape and Transpose of one pick, put before the node that had picked it."""
    matmul, axis, first = projection.matmul, projection.axis, projection.first
    trailing = [int(size or 0) for size in projection.cut[first:]]
    all_columns = np.arange(math.prod(trailing)).reshape(trailing)
    columns = all_columns.take(range(pick.start, pick.stop), axis - first).reshape(-1)
    place = pick.output.producer()
    assert place is not None
    weight = _constant(pick, np.ascontiguousarray(projection.weight[:, columns]), "weight")
    value = _node(place, "MatMul", matmul, matmul.inputs[0], weight)
    if projection.add is not None and projection.bias is not None:
        value = _node(place, "Add", projection.add, value, _constant(pick, projection.bias[columns], "bias"))
    kept = [old for old in range(len(projection.cut)) if old != axis or not pick.drops_axis]
    if projection.is_reshaped:
        parts = [pick.stop - pick.start if old == axis else projection.cut[old] for old in kept]
        target = np.array([-1 if size is None else size for size in parts], np.int64)
        value = _node(place, "Reshape", matmul, value, _constant(pick, target, "shape"))
    permutation = [kept.index(old) for old in projection.permutation if old in kept]
    if permutation != sorted(permutation):
        value = _node(place, "Transpose", matmul, value, perm=permutation)
    value.shape = pick.output.shape
    pick.output.replace_all_uses_with(value)


def _constant(pick: _Pick, array: Array, suffix: str) -> ir.Value:
    place = pick.output.producer()
    assert place is not None
    return new_constant(place, array, f"{place.outputs.index(pick.output)}.{suffix}")


def _node(place: ir.Node, op_type: str, origin: ir.Node, *inputs: ir.Value | None, **attributes: object) -> ir.Value:
    """A new node before ``place``, with the source line of ``origin``."""
    made = ir.node(op_type, inputs, attributes)
    made.metadata_props.update(origin.metadata_props)
    if origin.outputs[0].dtype is not None:
        made.outputs[0].dtype = origin.outputs[0].dtype
    assert place.graph is not None
    place.graph.insert_before(place, made)
    return made.outputs[0]
