"""DeformConv: a convolution that reads each element of its window at a computed place."""

from __future__ import annotations

import itertools

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim
from convert.layout.value import Array, Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers
from convert.lowering.window import Window, window_of


@lowers("DeformConv")
def deform_conv(call: Call) -> Value:
    """Bilinear samples, 0 beyond the image, times a mask if there is one, as columns that the weights multiply."""
    weights = call.require_constant(1, "the weight")
    sizes, out = call.value(0).sizes, call.value(2).sizes[2:]
    if weights.ndim != 4 or any(isinstance(size, Dim) for size in (*sizes[1:], *out)):
        call.refuse("other than two spatial dimensions of static size")
    height, width = (int(str(size)) for size in sizes[2:])
    rows, columns = (int(str(size)) for size in out)
    window = window_of(call, weights.shape[2:], (height, width))
    groups, taps = call.integer("offset_group", 1), weights.shape[2] * weights.shape[3]
    offsets = tf.reshape(call.tensor(2), [-1, groups, taps, 2, rows, columns])
    mask = tf.reshape(call.tensor(4), [-1, groups, taps, rows, columns, 1]) if call.has(4) else None
    places = _places(window, rows, columns)
    parts = tf.split(call.channels_last(0), groups, axis=-1)
    read = []
    for group, part in enumerate(parts):
        position = [places[axis] + offsets[:, group, :, axis] for axis in range(2)]
        sampled = _bilinear(part, position, (height, width))
        read.append(sampled if mask is None else sampled * mask[:, group])
    y = _product(call, tf.concat(read, axis=-1), weights)
    if call.has(3):
        bias = call.constant(3)
        y = y + (call.tensor(3) if bias is None else call.weight(3, bias))
    return call.channels_last_result(tf.reshape(y, [-1, rows, columns, weights.shape[0]]))


def _places(window: Window, rows: int, columns: int) -> tuple[Array, Array]:
    """Where each element of each window lies without offsets, ``(taps, rows, columns)`` for both axes."""
    axes = []
    for axis, count in enumerate((rows, columns)):
        starts = np.arange(count) * window.strides[axis] - window.pads[axis][0]
        axes.append(np.arange(window.kernel[axis])[:, None] * window.dilations[axis] + starts)
    shape = (*window.kernel, rows, columns)
    down = np.broadcast_to(axes[0][:, None, :, None], shape)
    across = np.broadcast_to(axes[1][None, :, None, :], shape)
    return tuple(each.reshape(-1, rows, columns).astype(np.float32) for each in (down, across))  # type: ignore[return-value]


def _bilinear(image: Tensor, position: list[Tensor], size: tuple[int, int]) -> Tensor:
    """``(N, H, W, C)`` read at ``(N, taps, rows, columns)`` places: ``(N, taps, rows, columns, C)``."""
    pixels = tf.reshape(image, [-1, size[0] * size[1], image.shape[-1]])
    taps = []
    for axis, length in enumerate(size):
        place = tf.clip_by_value(position[axis], -1.0, float(length))  # there and beyond, all weights are 0
        low = tf.floor(place)
        share = place - low
        taps.append([_tap(low, 1.0 - share, length), _tap(low + 1.0, share, length)])
    total = None
    for (row, down), (column, across) in itertools.product(*taps):
        index = row * size[1] + column
        flat = tf.reshape(index, [-1, int(np.prod(index.shape[1:]))])
        read = tf.reshape(tf.gather(pixels, flat, axis=1, batch_dims=1), [-1, *index.shape[1:], image.shape[-1]])
        part = read * (down * across)[..., None]
        total = part if total is None else total + part
    return total


def _tap(place: Tensor, share: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """The element at a whole place and its weight, 0 where there is none."""
    inside = tf.cast(tf.logical_and(place >= 0.0, place <= length - 1.0), share.dtype)
    return tf.cast(tf.clip_by_value(place, 0.0, length - 1.0), tf.int32), share * inside


def _product(call: Call, read: Tensor, weights: Array) -> Tensor:
    """Columns ``(N, taps, rows, columns, C)`` times weights ``(out, C / group, *kernel)``, group by group."""
    group = call.integer("group", 1)
    taps, channels = int(read.shape[1]), int(read.shape[-1]) // group
    results = []
    for index, part in enumerate(tf.split(read, group, axis=-1)):
        columns = tf.reshape(tf.transpose(part, [0, 2, 3, 1, 4]), [-1, taps * channels])
        mine = np.split(weights, group)[index]
        matrix = mine.reshape(len(mine), channels, taps).transpose(2, 1, 0).reshape(taps * channels, -1)
        results.append(tf.matmul(columns, call.weight(1, matrix)))
    return tf.concat(results, axis=-1)
