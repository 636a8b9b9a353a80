"""An ONNX Reshape done in the stored order where that is possible.

Input and output axes fall into groups of equal product: ``(N, C, H, W) → (N, C, H·W)`` is N ↔ N, C ↔ C, (H, W) ↔ H·W.
A group whose axes lie side by side in storage is reshaped where it lies. If they lie side by side in another order and
become one axis, that axis is folded (:class:`~convert.layout.layout.Fold`); otherwise the group has to be brought
together first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from convert.layout.dims import Dim, Size, exact_quotient, product
from convert.layout.layout import Fold, Layout


@dataclass(frozen=True)
class ReshapePlan:
    """Bring the input to ``prepared``, reshape its storage to ``stored_sizes``, and it has ``layout``."""

    prepared: Layout
    stored_sizes: tuple[Size, ...]
    layout: Layout


@dataclass(frozen=True)
class _Piece:
    """An input axis, or one part of a folded one, that is not of size 1."""

    axis: int
    part: int
    size: Size


@dataclass(frozen=True)
class _Group:
    pieces: tuple[_Piece, ...]
    outputs: tuple[int, ...]


def plan_reshape(layout: Layout, sizes: Sequence[Size], target: Sequence[Size]) -> ReshapePlan:
    """How a tensor of logical ``sizes`` stored as ``layout`` becomes one of logical ``target`` sizes."""
    groups = _groups(_pieces(layout, sizes), target)
    if groups is None:
        identity = Layout.identity(layout.rank)
        return ReshapePlan(identity, tuple(target), Layout.identity(len(target)))
    stored = _stored_pieces(layout, sizes)
    arranged = _arranged(groups, stored)
    if arranged is None:
        prepared = _prepared(layout, groups, stored)
        if prepared == layout:
            prepared = Layout.identity(layout.rank)
        return plan_reshape(prepared, sizes, target)
    order = _with_unit_axes(arranged.order, target)
    result = Layout(order, arranged.folds)
    return ReshapePlan(layout, result.physical(tuple(target)), result)


def common_refinement(left: Sequence[Size], right: Sequence[Size]) -> tuple[Size, ...] | None:
    """The fewest axes that, merged, give either of two shapes of one tensor; ``None`` where their cuts cross."""
    ours, theirs = [[size for size in sizes if size != 1][::-1] for sizes in (left, right)]
    refined: list[Size] = []
    if 0 in ours or 0 in theirs:
        return None
    while ours and theirs:
        a, b = ours.pop(), theirs.pop()
        inner, outer = exact_quotient(b, a), exact_quotient(a, b)
        if inner is None and outer is None:
            return None
        refined.append(a if inner is not None else b)
        if inner not in (None, 1):
            theirs.append(inner)
        if inner is None and outer is not None:
            ours.append(outer)
    return None if ours or theirs else tuple(refined)


def order_of_parts(refined: Sequence[Size], merged: Sequence[Size], permutation: Sequence[int]) -> tuple[int, ...]:
    """The transpose of ``refined`` that, merged, is ``merged`` transposed by ``permutation``."""
    parts: list[list[int]] = []
    axis = 0
    for size in merged:
        parts.append([])
        while size != 1 and product(refined[each] for each in parts[-1]) != size:
            parts[-1].append(axis)
            axis += 1
    return tuple(axis for output in permutation for axis in parts[output])


def resolve_target(
    sizes: Sequence[Size], requested: Sequence[Size], *, zero_copies: bool = True
) -> tuple[Size, ...] | None:
    """ONNX's 0 (copy) and -1 (whatever is left) as sizes; ``None`` if what is left is not known as a product."""
    target = [sizes[i] if zero_copies and size == 0 else size for i, size in enumerate(requested)]
    if -1 not in target:
        return tuple(target)
    rest = product(size for size in target if size != -1)
    missing = exact_quotient(product(sizes), rest)
    if missing is None:
        return None
    return tuple(missing if size == -1 else size for size in target)


@dataclass(frozen=True)
class _Arranged:
    order: tuple[int, ...]
    """Output axes other than those of size 1, in stored order."""
    folds: tuple[Fold, ...]


def _pieces(layout: Layout, sizes: Sequence[Size]) -> list[_Piece]:
    pieces = []
    for axis, size in enumerate(sizes):
        fold = layout.fold_of(axis)
        parts = fold.sizes if fold else (size,)
        pieces += [_Piece(axis, part, part_size) for part, part_size in enumerate(parts) if part_size != 1]
    return pieces


def _stored_pieces(layout: Layout, sizes: Sequence[Size]) -> list[_Piece]:
    stored = []
    for axis in layout.order:
        fold = layout.fold_of(axis)
        parts = [(part, fold.sizes[part]) for part in fold.order] if fold else [(0, sizes[axis])]
        stored += [_Piece(axis, part, size) for part, size in parts if size != 1]
    return stored


def _groups(pieces: list[_Piece], target: Sequence[Size]) -> list[_Group] | None:
    outputs = [axis for axis, size in enumerate(target) if size != 1]
    before_piece = [product(piece.size for piece in pieces[:count]) for count in range(len(pieces) + 1)]
    before_output = [product(target[axis] for axis in outputs[:count]) for count in range(len(outputs) + 1)]
    if before_piece[-1] != before_output[-1]:
        return None
    cuts = [(before_piece.index(size), count) for count, size in enumerate(before_output) if size in before_piece]
    return [
        _Group(tuple(pieces[piece:next_piece]), tuple(outputs[output:next_output]))
        for (piece, output), (next_piece, next_output) in pairwise(cuts)
    ]


def _arranged(groups: list[_Group], stored: list[_Piece]) -> _Arranged | None:
    order: list[int] = []
    folds: list[Fold] = []
    position = 0
    by_piece = {piece: group for group in groups for piece in group.pieces}
    while position < len(stored):
        group = by_piece[stored[position]]
        block = stored[position : position + len(group.pieces)]
        if set(block) != set(group.pieces):
            return None
        if tuple(block) != group.pieces:
            if len(group.outputs) != 1 or any(isinstance(piece.size, Dim) for piece in block):
                return None
            folds.append(_fold(group, block))
        order += group.outputs
        position += len(block)
    return _Arranged(tuple(order), tuple(sorted(folds, key=lambda fold: fold.axis)))


def _fold(group: _Group, block: list[_Piece]) -> Fold:
    sizes = tuple(piece.size for piece in group.pieces)
    assert all(isinstance(size, int) for size in sizes)
    return Fold(group.outputs[0], sizes, tuple(group.pieces.index(piece) for piece in block))  # type: ignore[arg-type]


def _prepared(layout: Layout, groups: list[_Group], stored: list[_Piece]) -> Layout:
    """The nearest layout in which each group lies together and in order: every group where its last piece lies.

    What is stored innermost stays innermost: whole rows move, and the channels of what follows still come last
    (attention's heads, next to their width once more: one transpose, where the first piece's place makes it two).
    """
    by_piece = {piece: group for group in groups for piece in group.pieces}
    from_behind = [member.axis for piece in reversed(stored) for member in reversed(by_piece[piece].pieces)]
    brought_together = reversed(dict.fromkeys(from_behind))
    return Layout(tuple(dict.fromkeys([*brought_together, *layout.order])))


def _with_unit_axes(order: tuple[int, ...], target: Sequence[Size]) -> tuple[int, ...]:
    """Where axes of size 1 go: channels-last or as ONNX has it if the others allow it, else after their predecessor."""
    rank = len(target)
    for candidate in (Layout.channels_last(rank).order, Layout.identity(rank).order):
        if tuple(axis for axis in candidate if target[axis] != 1) == order:
            return candidate
    result = list(order)
    for axis in range(rank):
        if axis not in result:
            result.insert(result.index(axis - 1) + 1 if axis else 0, axis)
    return tuple(result)
