"""How a tensor is stored: which logical (ONNX) axis each physical axis holds, and in which order a flattened axis lies.

Pure bookkeeping on tuples and numpy arrays; TensorFlow does not appear.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.layout.dims import Dim, Size, product

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Fold:
    """A logical axis that is the flattening of ``sizes``, stored in another order of them.

    Flattening ``(C, H, W)`` of a channels-last tensor: ``sizes=(C, H, W)``, ``order=(1, 2, 0)``, stored as H, W, C.
    """

    axis: int
    sizes: tuple[int, ...]
    order: tuple[int, ...]

    @property
    def stored_sizes(self) -> tuple[int, ...]:
        """The sizes in stored order."""
        return tuple(self.sizes[index] for index in self.order)


@dataclass(frozen=True)
class Layout:
    """``order[p]`` is the logical axis that physical axis ``p`` holds: NCHW stored as NHWC is ``(0, 2, 3, 1)``."""

    order: tuple[int, ...]
    folds: tuple[Fold, ...] = ()

    @staticmethod
    def identity(rank: int) -> Layout:
        """Stored as ONNX has it."""
        return Layout(tuple(range(rank)))

    @staticmethod
    def channels_last(rank: int) -> Layout:
        """Axis 1 last; below rank 3 there is nothing to move."""
        return Layout((0, *range(2, rank), 1)) if rank >= 3 else Layout.identity(rank)

    @property
    def rank(self) -> int:
        """How many axes."""
        return len(self.order)

    @property
    def is_identity(self) -> bool:
        """Whether the tensor is stored exactly as ONNX has it."""
        return not self.folds and self.order == tuple(range(self.rank))

    def physical_axis(self, axis: int) -> int:
        """Where the logical axis (negative ones count from the end) is stored."""
        return self.order.index(axis % self.rank)

    def fold_of(self, axis: int) -> Fold | None:
        """The fold of a logical axis, if it has one."""
        return next((fold for fold in self.folds if fold.axis == axis % self.rank), None)

    def physical(self, logical: Sequence[Size]) -> tuple[Size, ...]:
        """Something listed by logical axis, listed by physical axis."""
        return tuple(logical[axis] for axis in self.order)

    def logical(self, physical: Sequence[Size]) -> tuple[Size, ...]:
        """Something listed by physical axis, listed by logical axis."""
        return tuple(physical[self.order.index(axis)] for axis in range(self.rank))

    def transposed(self, permutation: Sequence[int]) -> Layout:
        """The same storage under an ONNX Transpose: new logical axis ``i`` is old logical axis ``permutation[i]``."""
        moved = tuple(permutation)
        return Layout(
            tuple(moved.index(axis) for axis in self.order),
            _sorted(Fold(moved.index(fold.axis), fold.sizes, fold.order) for fold in self.folds),
        )

    def without(self, axes: Sequence[int]) -> Layout:
        """The layout once those logical axes are gone."""
        gone = {axis % self.rank for axis in axes}
        renumbered = {old: new for new, old in enumerate(a for a in range(self.rank) if a not in gone)}
        return Layout(
            tuple(renumbered[axis] for axis in self.order if axis not in gone),
            _sorted(Fold(renumbered[f.axis], f.sizes, f.order) for f in self.folds if f.axis not in gone),
        )

    def widened(self, rank: int) -> Layout:
        """The layout with leading axes of size 1 added, as broadcasting does, up to ``rank``."""
        extra = rank - self.rank
        return Layout(
            (*range(extra), *(axis + extra for axis in self.order)),
            _sorted(Fold(fold.axis + extra, fold.sizes, fold.order) for fold in self.folds),
        )

    def unfolded(self, axes: Sequence[int] | None = None) -> Layout:
        """The layout without the folds of those logical axes (of all, by default)."""
        wanted = {axis % self.rank for axis in axes} if axes is not None else set(range(self.rank))
        return Layout(self.order, tuple(fold for fold in self.folds if fold.axis not in wanted))

    def store(self, array: Array) -> Array:
        """A logical array as this layout stores it. An axis of size 1 (to be broadcast) is left unfolded."""
        for fold in self.folds:
            if array.shape[fold.axis] != 1:
                array = reorder_fold(array, fold)
        return array.transpose(self.order)


def reorder_fold(array: Array, fold: Fold) -> Array:
    """A logical array with the entries along ``fold.axis`` in stored order."""
    return contiguous(reordered_view(array, fold)).reshape(array.shape)


def reordered_view(array: Array, fold: Fold) -> Array:
    """What :func:`reorder_fold` gives, not copied, with the axis split into the fold's."""
    before, after = array.shape[: fold.axis], array.shape[fold.axis + 1 :]
    split = array.reshape(*before, *fold.sizes, *after)
    parts = [len(before) + part for part in fold.order]
    rest = range(len(before) + len(parts), split.ndim)
    return split.transpose(*range(len(before)), *parts, *rest)


def contiguous(array: Array) -> npt.NDArray[Any]:
    """In C order at an address that TensorFlow takes without a copy; the array itself where it is so already."""
    if array.flags.c_contiguous and array.flags.writeable and array.ctypes.data % ALIGNMENT == 0:
        return array
    copy = aligned(array.shape, array.dtype)
    copy_into(copy, array)
    return copy


def copy_into(copy: Array, array: Array) -> None:
    """Fill ``copy``; from a large transposed array in strips that fit the cache, up to four times as fast as numpy."""
    if array.size < _LARGE or array.strides[-1] < max(array.strides):
        copy[...] = array
        return
    for start in range(0, array.shape[-1], _STRIP):
        strip = (..., slice(start, start + _STRIP))
        copy[strip] = array[strip]


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """An array in memory that nobody has touched."""
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


ALIGNMENT = 64
"""Bytes; ``EIGEN_MAX_ALIGN_BYTES``, which TensorFlow checks."""
_LARGE, _STRIP = 2**16, 16


def _sorted(folds: Iterable[Fold]) -> tuple[Fold, ...]:
    return tuple(sorted(folds, key=lambda fold: fold.axis))


Atom = tuple[int, int]
"""A logical axis and which part of its fold; part 0 where it has none."""


@dataclass(frozen=True)
class Relayout:
    """From one layout to another as reshape, transpose, reshape; sizes are physical."""

    expanded: tuple[Size, ...]
    permutation: tuple[int, ...]
    merged: tuple[Size, ...]

    @property
    def moves_data(self) -> bool:
        """Whether anything but axes of size 1 changes places."""
        kept = [axis for axis in self.permutation if self.expanded[axis] != 1]
        return kept != sorted(kept)

    @property
    def elements(self) -> int:
        """How many elements move, dynamic axes counted as 1."""
        total = product(size for size in self.expanded if not isinstance(size, Dim))
        assert isinstance(total, int)
        return total if self.moves_data else 0


def plan_relayout(source: Layout, target: Layout, sizes: Sequence[Size]) -> Relayout:
    """How a tensor of logical ``sizes`` goes from ``source`` to ``target``."""
    parts = {axis: _fold_sizes(source, target, axis, sizes[axis]) for axis in range(source.rank)}
    stored, wanted = _atoms(source, parts), _atoms(target, parts)
    return Relayout(
        expanded=tuple(parts[axis][part] for axis, part in stored),
        permutation=tuple(stored.index(atom) for atom in wanted),
        merged=target.physical(sizes),
    )


def _fold_sizes(source: Layout, target: Layout, axis: int, size: Size) -> tuple[Size, ...]:
    ours, theirs = source.fold_of(axis), target.fold_of(axis)
    fold = ours or theirs
    if fold is None or ours == theirs or size == 1:
        return (size,)
    if ours and theirs and ours.sizes != theirs.sizes:
        raise ValueError(f"axis {axis} is folded as {ours} and wanted as {theirs}: unfold it first")
    return fold.sizes


def _atoms(layout: Layout, parts: dict[int, tuple[Size, ...]]) -> list[Atom]:
    atoms: list[Atom] = []
    for axis in layout.order:
        fold = layout.fold_of(axis)
        count = len(parts[axis])
        order = fold.order if fold and count > 1 else range(count)
        atoms += [(axis, part) for part in order]
    return atoms
