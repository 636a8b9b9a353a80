"""Taking ranges of tensors, padding them, and putting them together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim, Size, is_plain, is_within
from convert.layout.layout import Fold, Layout
from convert.layout.value import Array, Tensor, Value
from convert.lowering.broadcast import common_layout
from convert.lowering.call import Call
from convert.lowering.registry import lowers

_INT32_MAX = 2**31 - 1
MOST_SLICED_AXES = 5


@lowers("Concat")
def concat(call: Call) -> Value:
    """Along an axis, in the layout that fewest inputs have to be brought to."""
    rank = call.value(0).rank
    axis = call.integer("axis", 0) % rank
    layout = common_layout([value for value in call.inputs if value is not None], rank).unfolded([axis])
    tensors = [call.tensor(index, layout) for index in range(len(call.inputs))]
    widest = max((tf.as_dtype(tensor.dtype) for tensor in tensors), key=lambda dtype: dtype.size)
    tensors = [tensor if tensor.dtype == widest else tf.cast(tensor, widest) for tensor in tensors]
    joined = call.result(tf.concat(tensors, layout.physical_axis(axis)), layout)
    length = sum((value.sizes[axis] for value in call.inputs if value is not None), start=0)
    sizes = [length if a == axis and is_plain(length) else size for a, size in enumerate(joined.sizes)]
    return Value(joined.data, joined.layout, tuple(sizes))


@lowers("Split")
def split(call: Call) -> tuple[Value, ...]:
    """Into parts of given sizes, or of equal ones (the last one smaller if need be)."""
    value = call.value(0)
    axis = call.integer("axis", 0) % value.rank
    sizes = call.integers_input_or_attribute(1, "split") or _equal_parts(call, value.sizes[axis])
    fold = value.layout.fold_of(axis)
    if fold is not None and all(size % math.prod(fold.sizes[1:]) == 0 for size in sizes):
        return _split_fold(call, value, fold, sizes)
    value = call.unfolded(0, [axis])
    parts = _parts(value.data, sizes, value.layout.physical_axis(axis))
    return tuple(call.result(part, value.layout) for part in parts)


def _parts(x: Tensor, sizes: Sequence[int], axis: int) -> Sequence[Tensor]:
    """Unequal ones as slices: XNNPACK takes SPLIT and STRIDED_SLICE, SPLIT_V is outside, and outside of int8 too."""
    if x.dtype == tf.int64 or (len(set(sizes)) > 1 and len(x.shape) <= MOST_SLICED_AXES):  # SPLIT takes no int64
        edges = np.cumsum([0, *sizes])
        before = (slice(None),) * axis
        return [x[(*before, slice(int(a), int(b)))] for a, b in pairwise(edges)]
    parts: Sequence[Tensor] = tf.split(x, list(sizes) if len(set(sizes)) > 1 else len(sizes), axis)
    return parts


def _split_fold(call: Call, value: Value, fold: Fold, sizes: Sequence[int]) -> tuple[Value, ...]:
    """Along the outermost of the axes that are folded, so that each part is stored in that order too (ShuffleNet)."""
    inner = math.prod(fold.sizes[1:])
    position = value.layout.physical_axis(fold.axis)
    stored = value.layout.physical(value.sizes)
    before, after = stored[:position], stored[position + 1 :]
    expanded = call.trace.reshape(value.data, (*before, *fold.stored_sizes, *after))
    parts = _parts(expanded, [size // inner for size in sizes], position + fold.order.index(0))
    results = []
    for size, part in zip(sizes, parts, strict=True):
        others = (other for other in value.layout.folds if other.axis != fold.axis)
        folds = (*others, Fold(fold.axis, (size // inner, *fold.sizes[1:]), fold.order))
        layout = Layout(value.layout.order, tuple(sorted(folds, key=lambda each: each.axis)))
        results.append(call.result(call.trace.reshape(part, (*before, size, *after)), layout))
    return tuple(results)


def _equal_parts(call: Call, size: Size) -> tuple[int, ...]:
    count = call.integer("num_outputs", len(call.node.outputs))
    if isinstance(size, Dim):
        call.refuse("splitting an axis of dynamic size")
    part = -(-size // count)
    return (*[part] * (count - 1), size - part * (count - 1))


@lowers("Slice")
def slice_(call: Call) -> Value:
    """Ranges of some axes. Starts and ends beyond the axis are clamped, as far as -2^63 and 2^63 - 1."""
    bounds = [call.sizes(1), call.sizes(2)] if call.has(1) else [call.integers("starts"), call.integers("ends")]
    axes = call.integers_input_or_attribute(3, "axes")
    starts, ends = bounds
    if starts is None or ends is None:
        return _computed_slice(call)
    steps = call.integers_input_or_attribute(4, "steps") or (1,) * len(starts)
    axes = axes if axes is not None else tuple(range(len(starts)))
    value = call.unfolded(0, axes)
    slices: list[slice] = [slice(None)] * value.rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index = _range(call, start, end, step, value.sizes[axis % value.rank])
        slices[value.layout.physical_axis(axis)] = index
    sliced = call.result(_sliced(value.data, slices), value.layout)
    lengths = {
        axis % value.rank: _length(start, end, value.sizes[axis % value.rank])
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True)
        if step == 1
    }
    sizes = [lengths.get(axis) or size for axis, size in enumerate(sliced.sizes)]
    return Value(sliced.data, sliced.layout, tuple(sizes))


def _length(start: Size, end: Size, size: Size) -> Dim | None:
    """How many elements are from ``start`` to ``end``, where that is dynamic and known nonetheless: half of 2·N."""
    if isinstance(end, int):
        end = size if end >= _INT32_MAX else end
    if not isinstance(size, Dim) or not isinstance(end, Dim) or not is_within(end, size):
        return None
    if start == 0:
        return end
    length = end - start if is_within(start, end) else None
    return length if isinstance(length, Dim) else None


def _sliced(x: Tensor, slices: Sequence[slice]) -> Tensor:
    """TFLite slices up to five axes; of more, whole ones that follow each other are taken together."""
    shape = x.shape.as_list()
    known = all(isinstance(edge, int | None) for each in slices for edge in (each.start, each.stop, each.step))
    cut_unknown = any(size is None and wanted != slice(None) for size, wanted in zip(shape, slices, strict=True))
    if len(slices) <= MOST_SLICED_AXES or shape.count(None) > 1 or cut_unknown or not known:
        return x[tuple(slices)]
    sizes, ranges = [shape[0]], [slices[0]]
    for size, wanted in zip(shape[1:], slices[1:], strict=True):
        if wanted == slice(None) == ranges[-1]:
            sizes[-1] = None if None in (size, sizes[-1]) else sizes[-1] * size
        else:
            sizes.append(size)
            ranges.append(wanted)
    lengths = [
        None if size is None else len(range(*wanted.indices(size))) for size, wanted in zip(shape, slices, strict=True)
    ]
    sliced = tf.reshape(x, _with_one_unknown(sizes))[tuple(ranges)]
    return tf.reshape(sliced, _with_one_unknown(lengths))


def _with_one_unknown(sizes: Sequence[int | None]) -> list[int]:
    return [-1 if size is None else size for size in sizes]


def _range(call: Call, start: object, end: object, step: int, size: object) -> slice:
    """One axis's range as TensorFlow's strided slice takes it."""
    if isinstance(start, int) and isinstance(end, int) and isinstance(size, int):
        first, last, _ = slice(start, end, step).indices(size)
        return slice(first, None if last < 0 or (step > 0 and last >= size) else last, step)
    edges = [edge if isinstance(edge, Dim) else _clamped(int(str(edge))) for edge in (start, end)]
    first_edge = None if edges[0] in ((0, None) if step > 0 else (_INT32_MAX, None)) else edges[0]
    last_edge = None if edges[1] == (_INT32_MAX if step > 0 else -_INT32_MAX) or edges[1] == size else edges[1]
    return slice(
        None if first_edge is None else call.trace.scalar(first_edge),
        None if last_edge is None else call.trace.scalar(last_edge),
        step,
    )


def _clamped(edge: int) -> int:
    return max(min(edge, _INT32_MAX), -_INT32_MAX)


def _computed_slice(call: Call) -> Value:
    x = call.tensor(0)
    axes = call.integers_input_or_attribute(3, "axes")
    starts, ends = (tf.cast(tf.clip_by_value(call.tensor(i), -_INT32_MAX, _INT32_MAX), tf.int32) for i in (1, 2))
    steps = call.integers_input_or_attribute(4, "steps") or (1,) * int(starts.shape[0])
    slices: list[slice] = [slice(None)] * x.shape.rank
    for position, axis in enumerate(axes if axes is not None else range(int(starts.shape[0]))):
        slices[axis] = slice(starts[position], ends[position], steps[position])
    return call.result(x[tuple(slices)])


@lowers("Pad")
def pad(call: Call) -> Value:
    """Constant, by reflection, by the edge's value, or around."""
    value = call.value(0)
    pads = call.integers_input_or_attribute(1, "pads") or call.integers("paddings") or ()
    axes = call.integers_input_or_attribute(3, "axes") or tuple(range(value.rank))
    before_after = dict.fromkeys(range(value.rank), (0, 0))
    for position, axis in enumerate(axes):
        before_after[axis % value.rank] = (pads[position], pads[position + len(axes)])
    source = call.unfolded(0, [axis for axis, pair in before_after.items() if pair != (0, 0)])
    paddings = [before_after[axis] for axis in source.layout.order]
    mode = call.text("mode", "constant")
    if any(count < 0 for pair in paddings for count in pair):
        source = Value(_cropped(source.data, paddings), source.layout, source.sizes)
        paddings = [(max(before, 0), max(after, 0)) for before, after in paddings]
    return call.result(_padded(call, source.data, paddings, mode), source.layout)


def _cropped(x: Tensor, paddings: Sequence[tuple[int, int]]) -> Tensor:
    return x[tuple(slice(max(-before, 0), after if after < 0 else None) for before, after in paddings)]


def _padded(call: Call, x: Tensor, paddings: Sequence[tuple[int, int]], mode: str) -> Tensor:
    if not any(count for pair in paddings for count in pair):
        return x
    if mode == "constant":
        given = call.constant(2)
        fill = given.item() if given is not None and given.size else call.number("value", 0.0)
        if call.has(2) and given is None:
            fill = call.tensor(2)
        if isinstance(fill, float | int) and fill == 0:
            return tf.pad(x, paddings)
        return tf.pad(x, paddings, constant_values=tf.cast(fill, x.dtype))
    for axis, (before, after) in enumerate(paddings):
        x = _padded_axis(call, x, axis, (before, after), mode)
    return x


def _padded_axis(call: Call, x: Tensor, axis: int, counts: tuple[int, int], mode: str) -> Tensor:
    """By picking positions: TFLite's MIRROR_PAD takes 50 times as long as GATHER (112×112×64: 13 ms against 0.26)."""
    before, after = counts
    if not before and not after:
        return x
    size = x.shape[axis]
    if size is None and mode == "reflect":
        paddings = [(before, after) if other == axis else (0, 0) for other in range(x.shape.rank)]
        return tf.pad(x, paddings, mode="REFLECT")
    if size is None:
        call.refuse(f"{mode} padding of an axis of dynamic size")
    return tf.gather(x, _picked_positions(size, before, after, mode), axis=axis)


def _picked_positions(size: int, before: int, after: int, mode: str) -> Array:
    positions = np.arange(-before, size + after)
    if mode == "edge":
        positions = positions.clip(0, size - 1)
    elif mode == "wrap":
        positions = positions % size
    else:
        period = max(2 * (size - 1), 1)
        positions = positions % period
        positions = np.minimum(positions, period - positions) if size > 1 else positions * 0
    return positions.astype(np.int32)
