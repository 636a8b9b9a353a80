"""``tf.where`` of any rank: TFLite's SELECT_V2 broadcasts over four axes at most."""

from __future__ import annotations

from itertools import groupby
from math import prod

import tensorflow as tf

from convert.layout.value import Tensor

_MOST_AXES = 4
_Shape = list[int | None]


def select(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """``x`` where the condition holds, ``y`` elsewhere; neighbouring axes that broadcast alike are taken as one.

    Torch spells adaptive pooling to sizes that divide nothing with masks over six axes (CSATv2).
    """
    operands = [tf.convert_to_tensor(operand) for operand in (condition, x, y)]
    rank = max(operand.shape.rank for operand in operands)
    shapes = [_widened(operand, rank) for operand in operands]
    result = [_broadcast([shape[axis] for shape in shapes]) for axis in range(rank)]
    unsure = any(
        size is None and wanted is not None for shape in shapes for size, wanted in zip(shape, result, strict=True)
    )
    if rank <= _MOST_AXES or result.count(None) > 1 or unsure:
        return tf.where(*operands)
    groups = [list(group) for _, group in groupby(range(rank), key=lambda axis: [shape[axis] == 1 for shape in shapes])]
    merged = [
        tf.reshape(operand, [_size([shape[axis] for axis in group]) for group in groups])
        for operand, shape in zip(operands, shapes, strict=True)
    ]
    return tf.reshape(tf.where(*merged), [-1 if size is None else size for size in result])


def _widened(operand: Tensor, rank: int) -> _Shape:
    shape: _Shape = operand.shape.as_list()
    return [1] * (rank - len(shape)) + shape


def _broadcast(sizes: _Shape) -> int | None:
    known = [size for size in sizes if size not in (None, 1)]
    return known[0] if known else (None if None in sizes else 1)


def _size(sizes: _Shape) -> int:
    return -1 if None in sizes else prod(size for size in sizes if size is not None)
