"""Operands of an element-wise op brought to one layout, the cheapest that one of them has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim, Size
from convert.layout.layout import Layout, plan_relayout
from convert.layout.value import Tensor, Value
from convert.lowering.call import Call


def unify(call: Call, indices: Sequence[int]) -> tuple[list[Tensor], Layout]:
    """Inputs as tensors whose storage broadcasts as ONNX says, and the result's layout."""
    values = [call.value(index) for index in indices]
    rank = max(value.rank for value in values)
    layout = common_layout(values, rank)
    compact = any(value.is_tensor and value.rank == rank for value in values)
    tensors = [_operand(call, value, layout, compact=compact) for value in values]
    return _one_dtype(tensors), layout


def common_layout(values: Sequence[Value], rank: int) -> Layout:
    """Of the layouts that the values have, widened to ``rank``, the one to which the fewest elements have to move."""
    computed = [value for value in values if value.is_tensor]
    candidates = [v.layout.widened(rank) for v in sorted(computed, key=lambda v: -v.rank)] or [Layout.identity(rank)]
    return min(dict.fromkeys(candidates), key=lambda layout: sum(_cost(value, layout) for value in computed))


def broadcast_sizes(operands: Sequence[Value | None], result: Value) -> tuple[Size, ...]:
    """The result's sizes; a dynamic one as its operands have it, where they all have the same (or 1)."""
    sizes = []
    for axis, size in enumerate(result.sizes):
        back = axis - result.rank
        theirs = {value.sizes[back] for value in operands if value is not None and value.rank >= -back} - {1}
        sizes.append(theirs.pop() if isinstance(size, Dim) and len(theirs) == 1 else size)
    return tuple(sizes)


def _cost(value: Value, layout: Layout) -> int:
    extra = layout.rank - value.rank
    try:
        return plan_relayout(value.layout.widened(layout.rank), layout, (*[1] * extra, *value.sizes)).elements
    except ValueError:
        return 2**62


def _operand(call: Call, value: Value, layout: Layout, *, compact: bool) -> Tensor:
    """One operand; ``compact`` allows a constant to leave out leading axes that another operand has."""
    extra = layout.rank - value.rank
    if value.is_constant:
        array = np.asarray(value.data)
        stored = layout.store(array.reshape((1,) * extra + array.shape))
        shape = _without_leading_ones(stored.shape) if compact else stored.shape
        return call.trace.weight(value.parameter, stored.reshape(shape))
    if value.is_shape_arithmetic:
        value = Value(call.trace.tensor(value, value.layout), value.layout, value.sizes)
    if extra and layout == value.layout.widened(layout.rank):
        return value.data  # numpy broadcasting puts the missing axes in front, which is where the layout has them
    widened = Value(value.data, value.layout.widened(layout.rank), (*[1] * extra, *value.sizes))
    return call.trace.tensor(widened, layout)


def _without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A bias of shape (1, 1, 1, C) as (C,): TFLite fuses that into the op before."""
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


def _one_dtype(operands: list[Tensor]) -> list[Tensor]:
    """Shape arithmetic is int32 here and int64 in ONNX: integers that meet get the type of the widest tensor."""
    dtypes = [tf.as_dtype(operand.dtype) for operand in operands]
    computed = [tf.as_dtype(o.dtype) for o in operands if not isinstance(o, np.ndarray)] or dtypes
    integers = {dtype for dtype in dtypes if dtype.is_integer}
    if len(integers) < 2:
        return operands
    target = max((dtype for dtype in computed if dtype.is_integer), key=lambda dtype: dtype.size)
    return [
        operand if not dtype.is_integer or dtype == target else tf.cast(operand, target)
        for operand, dtype in zip(operands, dtypes, strict=True)
    ]
