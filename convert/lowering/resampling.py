"""What ONNX's Resize reads: for each output position along an axis, which input positions, with which weights.

Pure numpy, after the definition of the operator (opset 19). An interpolation along one axis is a matrix
``(output size, input size)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sampling:
    """The attributes of a Resize node that say how it samples."""

    mode: str
    """``nearest``, ``linear`` or ``cubic``."""
    coordinates: str
    rounding: str = "round_prefer_floor"
    cubic_coefficient: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False


@dataclass(frozen=True)
class Axis:
    """One resized axis; ``scale`` is output over input as the node gives it, which rounding may have made inexact."""

    length: int
    size: int
    scale: float
    crop: tuple[float, float] = (0.0, 1.0)
    """For ``tf_crop_and_resize``: the part that is read, 0 being the first position and 1 the last."""

    @property
    def is_exact(self) -> bool:
        """Whether the scale is the ratio of the sizes."""
        return abs(self.size / self.length - self.scale) < 1e-6 * self.scale


_SOURCES: dict[str, Callable[[Axis, Array], Array]] = {
    "half_pixel": lambda axis, at: (at + 0.5) / axis.scale - 0.5,
    "pytorch_half_pixel": lambda axis, at: (at + 0.5) / axis.scale - 0.5 if axis.size > 1 else at * 0,
    "asymmetric": lambda axis, at: at / axis.scale,
    "align_corners": lambda axis, at: at * ((axis.length - 1) / (axis.size - 1) if axis.size > 1 else 0),
    "half_pixel_symmetric": lambda axis, at: (
        axis.length / 2 * (1 - axis.size / (axis.scale * axis.length)) + (at + 0.5) / axis.scale - 0.5
    ),
}


def _cropped(axis: Axis, at: Array) -> Array:
    start, end = (edge * (axis.length - 1) for edge in axis.crop)
    return start + (at * (end - start) / (axis.size - 1) if axis.size > 1 else (end - start) / 2 + at * 0)


_SOURCES["tf_crop_and_resize"] = _cropped
COORDINATES = frozenset(_SOURCES)

_ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda source: np.ceil(source - 0.5),
    "round_prefer_ceil": lambda source: np.floor(source + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def picked(sampling: Sampling, axis: Axis) -> npt.NDArray[np.int32]:
    """For mode nearest: the input position that each output position copies."""
    rounded = _ROUNDINGS[sampling.rounding](_source(sampling, axis))
    return rounded.clip(0, axis.length - 1).astype(np.int32)


def outside(sampling: Sampling, axis: Axis) -> npt.NDArray[np.bool_]:
    """Which output positions read beyond the input, where ``tf_crop_and_resize`` gives a fixed value."""
    source = _source(sampling, axis)
    return (source < 0) | (source > axis.length - 1)


def interpolation_matrix(sampling: Sampling, axis: Axis) -> npt.NDArray[np.float32]:
    """For modes linear and cubic: weights ``(output size, input size)``, each row summing to 1."""
    source = _source(sampling, axis)
    stretch = min(axis.scale, 1.0) if sampling.antialias else 1.0
    kernel, support = _KERNELS[sampling.mode]
    reach = int(np.ceil(support / stretch)) + 1
    taps = np.floor(source)[:, None] + np.arange(-reach, reach + 1)
    weights = kernel((taps - source[:, None]) * stretch, sampling.cubic_coefficient)
    inside = (taps >= 0) & (taps < axis.length)
    if sampling.exclude_outside:
        weights = np.where(inside, weights, 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((axis.size, axis.length))
    rows = np.broadcast_to(np.arange(axis.size)[:, None], taps.shape)
    np.add.at(matrix, (rows, taps.clip(0, axis.length - 1).astype(np.int64)), weights)
    return matrix.astype(np.float32)


def _source(sampling: Sampling, axis: Axis) -> Array:
    return _SOURCES[sampling.coordinates](axis, np.arange(axis.size, dtype=np.float64))


def _linear(distance: Array, _: float) -> Array:
    return np.maximum(1 - np.abs(distance), 0)


def _cubic(distance: Array, a: float) -> Array:
    """The cubic convolution kernel of R. Keys, 1981; ``a`` is its free parameter."""
    d = np.abs(distance)
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


_KERNELS: dict[str, tuple[Callable[[Array, float], Array], int]] = {"linear": (_linear, 1), "cubic": (_cubic, 2)}
