"""Pooling of regions of interest."""

from __future__ import annotations

import itertools

import numpy as np
import tensorflow as tf

from convert.layout.value import Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers


@lowers("RoiAlign", since=16)
def roi_align(call: Call) -> Value:
    """The mean or maximum of samples between elements, a fixed number in each bin of a region."""
    return _roi_align(call, call.text("coordinate_transformation_mode", "half_pixel") == "half_pixel")


@lowers("RoiAlign", since=10)
def roi_align_at_corners(call: Call) -> Value:
    """Before operator set 16: positions are elements' corners."""
    return _roi_align(call, half_pixel=False)


def _roi_align(call: Call, half_pixel: bool) -> Value:
    samples = call.integer("sampling_ratio", 0)
    if samples <= 0:
        call.refuse("sampling_ratio 0: as many samples as a region is large, which is known only when the model runs")
    bins = [call.integer("output_height", 1), call.integer("output_width", 1)]
    x, rois = call.channels_last(0), call.tensor(1)
    height, width = (call.trace.scalar(size) for size in call.value(0).sizes[2:])
    corners = rois * call.number("spatial_scale", 1.0) - (0.5 if half_pixel else 0.0)
    axes = [
        _axis(corners[:, first], corners[:, first + 2], count, samples, size, malformed=not half_pixel)
        for first, count, size in ((1, bins[0], height), (0, bins[1], width))
    ]
    start = tf.reshape(tf.cast(call.tensor(2), tf.int32), [-1, 1, 1]) * height
    flat = tf.reshape(x, [-1, int(call.value(0).sizes[1])])  # type: ignore[arg-type]
    corners_of_cells = []
    for (row, down), (column, across) in itertools.product(*axes):
        weight = tf.expand_dims(down[:, :, None] * across[:, None, :], -1)
        index = (start + row[:, :, None]) * width + column[:, None, :]
        corners_of_cells.append(tf.gather(flat, index) * weight)
    average = call.text("mode", "avg") == "avg"
    combine = sum if average else _largest
    return call.channels_last_result(_pooled(combine(corners_of_cells), bins, samples, average=average))


def _largest(parts: list[Tensor]) -> Tensor:
    """ONNX's ``max`` takes the largest weighted corner, not the largest interpolated value."""
    largest = parts[0]
    for part in parts[1:]:
        largest = tf.maximum(largest, part)
    return largest


def _axis(
    begin: Tensor, end: Tensor, bins: int, samples: int, size: Tensor | int, *, malformed: bool
) -> list[tuple[Tensor, Tensor]]:
    """Each sample's two neighbours along an axis with their weights: ``(regions, bins · samples)``."""
    extent = end - begin
    extent = tf.maximum(extent, 1.0) if malformed else extent
    places = np.repeat(np.arange(bins), samples) + (np.tile(np.arange(samples), bins) + 0.5) / samples
    position = begin[:, None] + places.astype(np.float32) * (extent / bins)[:, None]
    limit = tf.cast(size, tf.float32)
    inside = tf.cast(tf.logical_and(position >= -1.0, position <= limit), tf.float32)
    position = tf.clip_by_value(position, 0.0, limit - 1.0)
    low = tf.floor(position)
    share = position - low
    high = tf.minimum(low + 1.0, limit - 1.0)
    return [(tf.cast(low, tf.int32), (1.0 - share) * inside), (tf.cast(high, tf.int32), share * inside)]


def _pooled(sampled: Tensor, bins: list[int], samples: int, *, average: bool) -> Tensor:
    """``(regions, height · samples, width · samples, channels)`` → ``(regions, height, width, channels)``."""
    channels = sampled.shape[-1]
    rows = tf.reshape(sampled, [-1, bins[0], samples, bins[1] * samples * channels])
    reduce = tf.reduce_mean if average else tf.reduce_max
    columns = tf.reshape(reduce(rows, 2), [-1, bins[0] * bins[1], samples, channels])
    return tf.reshape(reduce(columns, 2), [-1, bins[0], bins[1], channels])
