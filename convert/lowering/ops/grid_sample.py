"""GridSample: reading an image at positions that the model computes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from convert.layout.dims import product
from convert.layout.value import Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers

_CUBIC = -0.75
_MODES = {"bilinear": "linear", "bicubic": "cubic"}
_PADDINGS = ("zeros", "border", "reflection")


@dataclass(frozen=True)
class _Axis:
    """A spatial axis: its length, and the first and last position that is inside."""

    length: int
    align_corners: bool
    padding: str

    @property
    def first(self) -> float:
        return 0.0 if self.align_corners else -0.5

    @property
    def last(self) -> float:
        return self.length - 1.0 if self.align_corners else self.length - 0.5

    def position(self, normalised: Tensor) -> Tensor:
        """-1 … 1 as a position in pixels."""
        if self.align_corners:
            return (normalised + 1.0) / 2.0 * (self.length - 1.0)
        return ((normalised + 1.0) * self.length - 1.0) / 2.0

    def brought_inside(self, position: Tensor) -> Tensor:
        """What the padding does to a position outside; with zeros, as far outside as makes no difference."""
        if self.padding == "zeros":
            return tf.clip_by_value(position, -3.0, self.length + 2.0)
        outside = (position < self.first) | (position > self.last)
        if self.padding == "border":
            return tf.where(outside, tf.clip_by_value(position, 0.0, self.length - 1.0), position)
        return tf.where(outside, self._reflected(position), position)

    def _reflected(self, position: Tensor) -> Tensor:
        """Mirrored at the nearer border until it is inside."""
        span = self.last - self.first
        below = position < self.first
        distance = tf.where(below, self.first - position, position - self.last)
        times = tf.floor(distance / span)
        rest = distance - times * span
        from_first = tf.equal(below, tf.equal(times, 2.0 * tf.floor(times / 2.0)))
        return tf.where(from_first, self.first + rest, self.last - rest)

    def tap(self, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """The pixel that is read at a whole position, and whether there is one (``None``: always)."""
        inside = (index >= 0.0) & (index <= self.length - 1.0) if self.padding == "zeros" else None
        if self.padding == "reflection":
            outside = (index < self.first) | (index > self.last)
            index = tf.where(outside, self._reflected(index), index)
        return tf.cast(tf.clip_by_value(index, 0.0, self.length - 1.0), tf.int32), inside


@lowers("GridSample", since=16)
def grid_sample(call: Call) -> Value:
    """Nearest, (bi)linear or cubic; the grid's last axis is x, y (, z), each from -1 to 1."""
    sizes = call.value(0).sizes
    lengths = [size for size in sizes[2:] if isinstance(size, int)]
    mode = call.text("mode", "linear")
    mode = _MODES.get(mode, mode)
    padding = call.text("padding_mode", "zeros")
    align_corners = bool(call.integer("align_corners", 0))
    if len(lengths) != len(sizes) - 2:
        call.refuse("an image whose height or width is dynamic")
    if mode not in _TAPS or padding not in _PADDINGS:
        call.refuse(f"mode {mode!r} with padding {padding!r}")
    if padding == "reflection" and align_corners and 1 in lengths:
        call.refuse("reflection between the corners of an axis of length 1: the corners are one")
    axes = [_Axis(length, align_corners, padding) for length in lengths]
    grid = call.tensor(1)
    normalised = tf.unstack(call.trace.reshape(grid, (sizes[0], product(call.value(1).sizes[1:-1]), len(axes))), axis=2)
    positions = [axis.position(each) for axis, each in zip(axes, reversed(normalised), strict=True)]
    x = call.channels_last(0)
    pixels = call.trace.reshape(x, (sizes[0], product(lengths), sizes[1]))
    sampled = _sampled(pixels, axes, [_taps(mode, axis, each) for axis, each in zip(axes, positions, strict=True)])
    return call.channels_last_result(call.trace.reshape(sampled, (sizes[0], *call.value(1).sizes[1:-1], sizes[1])))


_Tap = tuple[Tensor, Tensor | None, Tensor | None]
"""A whole position on one axis, whether it is inside, and its weight; ``None`` stands for always, and for 1."""


def _sampled(pixels: Tensor, axes: list[_Axis], taps: list[list[_Tap]]) -> Tensor:
    """The weighted sum of the pixels ``(N, height * width, channels)`` at every combination of the axes' taps."""
    total = None
    for combination in itertools.product(*taps):
        index: Tensor = 0
        weight = None
        for axis, (position, inside, share) in zip(axes, combination, strict=True):
            index = index * axis.length + position
            for factor in (share, None if inside is None else tf.cast(inside, pixels.dtype)):
                if factor is not None:
                    weight = factor if weight is None else weight * factor
        read = tf.gather(pixels, index, axis=1, batch_dims=1)
        part = read if weight is None else read * weight[..., tf.newaxis]
        total = part if total is None else total + part
    return total


def _taps(mode: str, axis: _Axis, position: Tensor) -> list[_Tap]:
    if mode == "nearest":
        position = tf.round(position)  # half to even, as PyTorch does
    position = axis.brought_inside(position)
    if mode == "nearest":
        return [(*axis.tap(position), None)]
    start = tf.floor(position)
    shares = _TAPS[mode](position - start)
    first = -1.0 if mode == "cubic" else 0.0
    return [(*axis.tap(start + (first + step)), share) for step, share in enumerate(shares)]


def _linear(fraction: Tensor) -> list[Tensor]:
    return [1.0 - fraction, fraction]


def _cubic(fraction: Tensor) -> list[Tensor]:
    """R. Keys, Cubic convolution interpolation for digital image processing (1981), with a = -0.75."""
    return [
        _outer(fraction + 1.0),
        _inner(fraction),
        _inner(1.0 - fraction),
        _outer(2.0 - fraction),
    ]


def _inner(x: Tensor) -> Tensor:
    return ((_CUBIC + 2.0) * x - (_CUBIC + 3.0)) * x * x + 1.0


def _outer(x: Tensor) -> Tensor:
    return ((_CUBIC * x - 5.0 * _CUBIC) * x + 8.0 * _CUBIC) * x - 4.0 * _CUBIC


_TAPS: dict[str, Callable[[Tensor], list[Tensor]]] = {"nearest": _linear, "linear": _linear, "cubic": _cubic}
