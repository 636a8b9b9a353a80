"""Max, average and global pools."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim, Size
from convert.layout.value import Tensor, Value
from convert.lowering.call import Call
from convert.lowering.ops.pooling_variants import max_pool_with_indices
from convert.lowering.ops.reduce import mean
from convert.lowering.registry import lowers
from convert.lowering.window import Window, covered, pad_spatial, window_of


@lowers("MaxPool")
def max_pool(call: Call) -> Value | tuple[Value, Value]:
    """Padding counts as minus infinity, which must not become a number in the graph: it would ruin int8 scales."""
    if len(call.node.outputs) > 1:
        return max_pool_with_indices(call)
    spatial = call.value(0).sizes[2:]
    window = covered(_window(call, spatial), spatial)
    x = call.channels_last(0)
    return call.channels_last_result(_max_pooled(x, window, spatial))


def _max_pooled(x: Tensor, window: Window, spatial: Sequence[Size]) -> Tensor:
    if window.is_padded and window.is_same(spatial):
        return _pool(x, window, "MAX", "SAME")
    if window.is_padded and _mirroring_stays_inside(window, spatial):
        x = _mirrored(x, window)
    elif window.is_padded:
        x = pad_spatial(x, window.pads, value=x.dtype.min)
    return _pool(x, window, "MAX", "VALID")


def _mirrored(x: Tensor, window: Window) -> Tensor:
    """Padded with copies of the nearest elements, picked by position: quicker than TFLite's MIRROR_PAD by far."""
    for axis, (before, after) in enumerate(window.pads, start=1):
        size = x.shape[axis]
        if before or after:
            positions = np.concatenate([np.arange(before)[::-1], np.arange(size), size - 1 - np.arange(after)])
            x = tf.gather(x, positions.astype(np.int32), axis=axis)
    return x


def _mirroring_stays_inside(window: Window, spatial: Sequence[Size]) -> bool:
    """Whether each mirrored element is in the window that sees its copy, so that no maximum changes.

    A window that starts ``p`` before the edge sees copies of ``p`` elements and reaches ``kernel - p`` inside:
    ``2 p <= kernel`` suffices. Mirroring needs the input to be at least as long as the padding.
    """
    return set(window.dilations) == {1} and all(
        2 * max(pads) <= extent and not isinstance(size, Dim) and size >= extent
        for pads, extent, size in zip(window.pads, window.extents, spatial, strict=True)
    )


@lowers("AveragePool")
def average_pool(call: Call) -> Value:
    """The divisor is the number of elements in the window: of the input, and of the padding if that counts."""
    spatial = call.value(0).sizes[2:]
    declared = _window(call, spatial)
    window = covered(declared, spatial)
    counts_padding = bool(call.integer("count_include_pad", 0))
    x = call.channels_last(0)
    if not window.is_padded:
        return call.channels_last_result(_pool(x, window, "AVG", "VALID"))
    if not counts_padding and window.is_same(spatial):
        return call.channels_last_result(_pool(x, window, "AVG", "SAME"))
    y = _pool(pad_spatial(x, window.pads), window, "AVG", "VALID")
    correction = _divisor_correction(declared, window, spatial, counts_padding=counts_padding)
    if correction is None:
        ones = pad_spatial(tf.ones_like(x[:1, ..., :1]), window.pads)
        return call.channels_last_result(y / _pool(ones, window, "AVG", "VALID"))
    return call.channels_last_result(y if np.all(correction == 1) else y * correction)


def _divisor_correction(
    declared: Window, window: Window, spatial: Sequence[Size], *, counts_padding: bool
) -> np.ndarray | None:  # type: ignore[type-arg]
    """For each output position, kernel size ÷ number of elements that count: ``(1, *spatial, 1)``.

    What ``ceil_mode`` adds after the declared padding never counts. ``None`` if it depends on a dynamic size.
    """
    if counts_padding and window.pads == declared.pads:
        return np.ones(1, np.float32)
    factors = np.ones((1,), np.float64)
    for axis, size in enumerate(spatial):
        if isinstance(size, Dim):
            return None
        begin, end = window.pads[axis]
        counted = np.zeros(begin + size + end)
        first = 0 if counts_padding else begin
        last = begin + size + (min(declared.pads[axis][1], end) if counts_padding else 0)
        counted[first:last] = 1
        positions = np.arange(window.kernel[axis]) * window.dilations[axis]
        starts = np.arange(0, len(counted) - window.extents[axis] + 1, window.strides[axis])
        counts = counted[starts[:, None] + positions].sum(axis=1)
        factors = factors[..., None] * (window.kernel[axis] / counts)
    return factors[..., None].astype(np.float32)


def _window(call: Call, spatial: Sequence[Size]) -> Window:
    kernel = call.integers("kernel_shape")
    if kernel is None:
        call.refuse("no kernel_shape")
    if len(kernel) > 2 and (len(kernel) > 3 or any(isinstance(size, Dim) for size in spatial)):
        call.refuse(f"{len(kernel)} spatial dimensions; three of static size are known")
    return window_of(call, kernel, spatial)


def _pool(x: Tensor, window: Window, kind: str, padding: str) -> Tensor:
    rank = len(window.kernel)
    if rank == 3:
        return _pool_3d(x, window, kind, padding)
    if set(window.dilations) != {1}:
        dense = tf.nn.pool(x, window.kernel, kind, (1,) * rank, padding, dilations=window.dilations)
        return dense[(slice(None), *(slice(None, None, stride) for stride in window.strides))]
    pools = {
        ("MAX", 1): tf.nn.max_pool2d,
        ("MAX", 2): tf.nn.max_pool2d,
        ("AVG", 1): tf.nn.avg_pool2d,
        ("AVG", 2): tf.nn.avg_pool2d,
    }
    pool = pools[kind, rank]
    if rank == 1:
        return tf.squeeze(pool(tf.expand_dims(x, 1), [1, *window.kernel], [1, *window.strides], padding), 1)
    return pool(x, list(window.kernel), list(window.strides), padding)


def _pool_3d(x: Tensor, window: Window, kind: str, padding: str) -> Tensor:
    """Height and width first, depth after: a maximum or a mean over a box is one over its sides. TFLite has no other.

    A window's part inside the image is a box too, so that this holds where a mean leaves the padding out.
    """
    _, depth, height, width, channels = x.shape
    planes = _pool(tf.reshape(x, [-1, height, width, channels]), _along(window, (1, 2)), kind, padding)
    _, height, width, _ = planes.shape
    columns = tf.reshape(planes, [-1, depth, height * width, channels])
    pooled = _pool(columns, _along(window, (0,)), kind, padding)
    return tf.reshape(pooled, [-1, pooled.shape[1], height, width, channels])


def _along(window: Window, axes: tuple[int, ...]) -> Window:
    """The window over some of its axes, as one of two: one axis is followed by one that is left alone."""
    rest = 2 - len(axes)

    def chosen(values: tuple[int, ...]) -> tuple[int, ...]:
        return (*(values[axis] for axis in axes), *(1,) * rest)

    pads = (*(window.pads[axis] for axis in axes), *((0, 0),) * rest)
    return Window(chosen(window.kernel), chosen(window.strides), chosen(window.dilations), pads)


@lowers("GlobalAveragePool")
def global_average_pool(call: Call) -> Value:
    """The mean over all spatial axes, which stay as axes of size 1."""
    x = call.channels_last(0)
    return call.channels_last_result(mean(x, range(1, x.shape.rank - 1), keepdims=True))


@lowers("GlobalMaxPool")
def global_max_pool(call: Call) -> Value:
    """The maximum over all spatial axes, which stay as axes of size 1."""
    x = call.channels_last(0)
    return call.channels_last_result(tf.reduce_max(x, range(1, x.shape.rank - 1), keepdims=True))
