"""A transposed convolution along one axis as convolutions of its input, one for each phase of the result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convert.rewrites.graph import Array


@dataclass(frozen=True)
class Axis:
    """Result ``m`` is the sum over ``j`` of ``x[j] · w[m + pad - stride · j]``, for ``m`` from ``-cut_before``.

    ``longer`` is how many results there are beyond ``stride`` for each element of the input; ``cut_before`` are
    computed in vain before the first of them, which shifts the phases.
    """

    kernel: int
    stride: int
    pad: int
    longer: int
    cut_before: int

    @property
    def _first(self) -> int:
        """The first element that a phase reads, counted from its own place."""
        return -((self.kernel - 1 - self.pad + self.cut_before) // self.stride)

    @property
    def taps(self) -> int:
        """How many elements the phases read, from the first that any of them reads to the last."""
        return (self.stride - 1 + self.pad - self.cut_before) // self.stride - self._first + 1

    @property
    def more_places(self) -> int:
        """How many results each phase has more than the input has elements."""
        return -((-self.cut_before - self.longer) // self.stride)

    @property
    def cut_after(self) -> int:
        """How many are computed in vain after the last result."""
        return self.stride * self.more_places - self.cut_before - self.longer

    @property
    def pads(self) -> tuple[int, int]:
        """The convolution's padding, before and after."""
        return -self._first, self.more_places + self._first + self.taps - 1

    def spread(self, weight: Array, axis: int) -> Array:
        """The weight's axis of ``kernel`` entries as two, ``(phase, tap)``; 0 where a phase has no such tap."""
        phase, tap = np.arange(self.stride)[:, None], np.arange(self.taps)[None, :]
        index = phase + self.pad - self.cut_before - self.stride * (tap + self._first)
        inside = (index >= 0) & (index < self.kernel)
        picked = np.take(weight, np.where(inside, index, 0), axis=axis)
        known = inside.reshape((*inside.shape, *(1,) * (picked.ndim - axis - 2)))
        return np.where(known, picked, np.zeros((), weight.dtype))


def cheapest_axis(kernel: int, stride: int, pads: tuple[int, int], more: int) -> Axis | None:
    """The axis with the fewest taps, and of those the one that computes least in vain.

    ``more`` is ONNX's output_padding. ``None`` where the convolution would want a negative padding.
    """
    longer = kernel - stride - sum(pads) + more
    axes = [Axis(kernel, stride, pads[0], longer, cut) for cut in range(min(pads[0], stride - 1) + 1)]
    possible = [axis for axis in axes if min(axis.pads) >= 0 and axis.taps > 0]
    return min(possible, key=lambda axis: (axis.taps, axis.cut_before + axis.cut_after), default=None)
