"""Pools other than by maximum and mean, and what takes a pool apart again."""

from __future__ import annotations

import itertools
import math

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim
from convert.layout.value import Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers
from convert.lowering.window import Window, covered, pad_spatial, window_of

_MOST_TAPS = 256
"""Elements of a window whose maxima are looked for one by one."""


@lowers("LpPool")
def lp_pool(call: Call) -> Value:
    """``(Σ |x|^p)^(1/p)`` over each window; padding is 0."""
    x, window = _padded(call, 0.0)
    p = call.integer("p", 2)
    total = None
    for tap in _taps(call, x, window):
        power = tf.square(tap) if p == 2 else tf.abs(tap) if p == 1 else tf.pow(tf.abs(tap), float(p))
        total = power if total is None else total + power
    y = tf.sqrt(total) if p == 2 else total if p == 1 else tf.pow(total, 1.0 / p)
    return call.channels_last_result(y)


@lowers("GlobalLpPool")
def global_lp_pool(call: Call) -> Value:
    """``(Σ |x|^p)^(1/p)`` over all spatial axes."""
    x = call.channels_last(0)
    p = float(call.integer("p", 2))
    total = tf.reduce_sum(tf.pow(tf.abs(x), p), range(1, x.shape.rank - 1), keepdims=True)
    return call.channels_last_result(tf.pow(total, 1.0 / p))


def max_pool_with_indices(call: Call) -> tuple[Value, Value]:
    """MaxPool's maxima, and where in the whole tensor each was first found."""
    sizes = call.value(0).sizes
    if any(isinstance(size, Dim) for size in sizes[1:]):
        call.refuse("indices of the maxima of an image of dynamic size")
    spatial = [int(str(size)) for size in sizes[2:]]
    x, window = _padded(call, call.tensor(0).dtype.min)
    rank = len(spatial)
    order = range(rank) if call.integer("storage_order", 0) else range(rank - 1, -1, -1)
    strides = [0] * rank
    for place, axis in enumerate(order):
        strides[axis] = math.prod(spatial[other] for other in list(order)[:place])
    best = where = None
    for offsets, tap in zip(_offsets(window), _taps(call, x, window), strict=True):
        index = _indices(tap, window, offsets, strides)
        if best is None:
            best, where = tap, index + tf.zeros_like(tap, tf.int32)
        else:
            where = tf.where(tap > best, index, where)
            best = tf.maximum(best, tap)
    channels = int(str(sizes[1]))
    planes = tf.range(tf.shape(x)[0])[:, None] * channels + tf.range(channels)[None, :]
    where = where + tf.reshape(planes, [-1, *[1] * rank, channels]) * math.prod(spatial)
    return call.channels_last_result(best), call.channels_last_result(tf.cast(where, tf.int64))


def _indices(tap: Tensor, window: Window, offsets: tuple[int, ...], strides: list[int]) -> Tensor:
    """For each window, the flat position in its plane of the element that ``tap`` holds."""
    total = np.zeros((1,), np.int64)
    rank = len(offsets)
    for axis in range(rank):
        count = int(tap.shape[axis + 1])
        positions = np.arange(count) * window.strides[axis] + offsets[axis] - window.pads[axis][0]
        total = total + (positions * strides[axis]).reshape([-1 if other == axis else 1 for other in range(rank)])
    return tf.constant(total[None, ..., None], tf.int32)


def _padded(call: Call, fill: float) -> tuple[Tensor, Window]:
    kernel = call.integers("kernel_shape")
    spatial = call.value(0).sizes[2:]
    if kernel is None or math.prod(kernel) > _MOST_TAPS:
        call.refuse(f"a window of {kernel}; up to {_MOST_TAPS} elements are gone through one by one")
    window = covered(window_of(call, kernel, spatial), spatial)
    return pad_spatial(call.channels_last(0), window.pads, fill), window


def _offsets(window: Window) -> list[tuple[int, ...]]:
    steps = [range(0, k * d, d) for k, d in zip(window.kernel, window.dilations, strict=True)]
    return list(itertools.product(*steps))


def _taps(call: Call, x: Tensor, window: Window) -> list[Tensor]:
    """For each element of the window, that element of all windows: ``(batch, *output, channels)``."""
    if None in x.shape.as_list()[1:]:
        call.refuse("an image of dynamic size")
    counts = [
        (int(size) - extent) // stride + 1
        for size, extent, stride in zip(x.shape[1:-1], window.extents, window.strides, strict=True)
    ]
    taps = []
    for offsets in _offsets(window):
        spatial = [
            slice(offset, offset + (count - 1) * stride + 1, stride)
            for offset, count, stride in zip(offsets, counts, window.strides, strict=True)
        ]
        taps.append(x[(slice(None), *spatial, slice(None))])
    return taps


@lowers("MaxUnpool")
def max_unpool(call: Call) -> Value:
    """Maxima back where they were found, zeros elsewhere; windows must not overlap, or a maximum comes twice."""
    sizes = call.value(0).sizes
    kernel = call.integers("kernel_shape") or ()
    rank = len(kernel)
    strides, pads = call.integers("strides") or (1,) * rank, call.integers("pads") or (0,) * (2 * rank)
    if any(isinstance(size, Dim) for size in sizes[1:]) or any(k > s for k, s in zip(kernel, strides, strict=True)):
        call.refuse("windows that overlap, or an image of dynamic size")
    inferred = [
        (int(str(size)) - 1) * stride + extent - pads[axis] - pads[axis + rank]
        for axis, (size, stride, extent) in enumerate(zip(sizes[2:], strides, kernel, strict=True))
    ]
    channels, batch = int(str(sizes[1])), call.trace.scalar(sizes[0])
    places = tf.reshape(tf.cast(call.tensor(1), tf.int32), [-1, 1])
    flat = tf.scatter_nd(places, tf.reshape(call.tensor(0), [-1]), tf.stack([batch * channels * math.prod(inferred)]))
    y = tf.reshape(flat, [-1, channels, *inferred])
    if call.has(2):
        shape = [int(size) for size in call.require_constant(2, "the output's shape")][2:]
        y = tf.pad(y, [[0, 0], [0, 0], *([0, size - old] for size, old in zip(shape, inferred, strict=True))])
    return call.result(y)


@lowers("Col2Im")
def col2im(call: Call) -> Value:
    """Columns ``(N, C · block, positions)`` added up to the image that they were cut out of."""
    image = [int(size) for size in call.require_constant(1, "the image's shape")]
    block = [int(size) for size in call.require_constant(2, "the block's shape")]
    rank = len(image)
    ones = (1,) * rank
    flat = call.integers("pads") or (0,) * (2 * rank)
    pads = tuple(zip(flat[:rank], flat[rank:], strict=True))
    strides, dilations = call.integers("strides") or ones, call.integers("dilations") or ones
    window = Window(tuple(block), tuple(strides), tuple(dilations), pads)
    padded = [size + before + after for size, (before, after) in zip(image, pads, strict=True)]
    places = _column_places(window, padded)
    x = call.tensor(0)
    channels = int(x.shape[1]) // math.prod(block)
    columns = tf.reshape(x, [-1, channels, places.size])
    rows = tf.reshape(tf.transpose(columns, [2, 0, 1]), [places.size, -1])
    summed = tf.scatter_nd(places.reshape(-1, 1), rows, tf.stack([math.prod(padded), tf.shape(rows)[1]]))
    whole = tf.reshape(summed, [*padded, -1, channels])
    inside = whole[tuple(slice(before, before + size) for (before, _), size in zip(pads, image, strict=True))]
    return call.result(tf.transpose(inside, [rank, rank + 1, *range(rank)]))


def _column_places(window: Window, padded: list[int]) -> np.ndarray:  # type: ignore[type-arg]
    """Which element of the padded image each element of a column is: ``(block, positions)``, flat."""
    axes = []
    for size, extent, stride, kernel, dilation in zip(
        padded, window.extents, window.strides, window.kernel, window.dilations, strict=True
    ):
        starts = np.arange(0, size - extent + 1, stride)
        axes.append(np.arange(kernel)[:, None] * dilation + starts)
    places = np.zeros((1, 1), np.int64)
    for size, axis in zip(padded, axes, strict=True):
        places = places[:, None, :, None] * size + axis[None, :, None, :]
        places = places.reshape(places.shape[0] * places.shape[1], -1)
    return places.astype(np.int32)
