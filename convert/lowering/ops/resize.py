"""Resize and Upsample, where TensorFlow's kernels compute exactly what the node says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim
from convert.layout.value import Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers


@lowers("Upsample")
def upsample(call: Call) -> Value:
    """Resize as it was before operator set 10: asymmetric coordinates."""
    scales = call.constant(1)
    if scales is None:
        attribute = call.node.attributes.get("scales")
        if attribute is None:
            call.refuse("scales that are computed when the model runs")
        scales = np.asarray(attribute.as_floats(), np.float32)
    return _resized(call, _scaled(call, scales), scales, "asymmetric", "floor")


@lowers("Resize", since=10)
def resize_by_scales(call: Call) -> Value:
    """Operator set 10: asymmetric coordinates, scales as the second input."""
    scales = call.require_constant(1, "scales")
    return _resized(call, _scaled(call, scales), scales, "asymmetric", "floor")


@lowers("Resize", since=11)
def resize(call: Call) -> Value:
    """To sizes, or by scales; the coordinate transformation says which input position an output position reads."""
    coordinates = call.text("coordinate_transformation_mode", "half_pixel")
    nearest = call.text("nearest_mode", "round_prefer_floor")
    if (
        call.integer("antialias", 0)
        or call.text("keep_aspect_ratio_policy", "stretch") != "stretch"
        or call.integers("axes")
    ):
        call.refuse("antialias, axes or keep_aspect_ratio_policy")
    if call.has(3):
        requested = call.sizes(3)
        if requested is None:
            call.refuse("a size that is computed when the model runs")
        sizes = _static(call, requested[2:])
        scales = np.asarray([1, 1, *(out / size for out, size in zip(sizes, _input_sizes(call), strict=True))])
        return _resized(call, sizes, scales, coordinates, nearest)
    scales = call.require_constant(2, "scales")
    return _resized(call, _scaled(call, scales), scales, coordinates, nearest)


def _input_sizes(call: Call) -> tuple[int, ...]:
    return _static(call, call.value(0).sizes[2:])


def _static(call: Call, sizes: Sequence[object]) -> tuple[int, ...]:
    if any(isinstance(size, Dim) for size in sizes):
        call.refuse("a spatial size that is dynamic")
    return tuple(int(str(size)) for size in sizes)


def _scaled(call: Call, scales: np.ndarray) -> tuple[int, ...]:  # type: ignore[type-arg]
    if len(scales) != call.value(0).rank or not np.allclose(scales[:2], 1):
        call.refuse(f"scales {scales.tolist()}: batch and channels can not be resized")
    return tuple(int(np.floor(size * float(s))) for size, s in zip(_input_sizes(call), scales[2:], strict=True))


def _resized(call: Call, sizes: Sequence[int], scales: np.ndarray, coordinates: str, nearest: str) -> Value:  # type: ignore[type-arg]
    x = call.channels_last(0)
    mode = call.text("mode", "nearest")
    for axis, (size, scale) in enumerate(zip(sizes, scales[2:], strict=True)):
        if coordinates == "pytorch_half_pixel" and size == 1 and mode != "nearest":
            call.refuse("pytorch_half_pixel to size 1")
        if call.value(0).sizes[axis + 2] == size and float(scale) != 1.0:
            call.refuse(f"scale {scale} that leaves the size as it is")
    if tuple(sizes) == _input_sizes(call):
        return call.value(0)
    if mode == "nearest":
        return call.channels_last_result(_nearest(call, x, sizes, scales, coordinates, nearest))
    if mode == "linear" and len(sizes) <= 2:
        return call.channels_last_result(_linear(call, x, sizes, scales, coordinates))
    call.refuse(f"mode {mode!r} over {len(sizes)} axes")


def _nearest(
    call: Call, x: Tensor, sizes: Sequence[int], scales: np.ndarray, coordinates: str, rounding: str
) -> Tensor:  # type: ignore[type-arg]
    """Which input position each output position copies is computed here; TensorFlow's own op where it does the same."""
    lengths = _input_sizes(call)
    picks = [
        _picked(call, length, size, float(scale), coordinates, rounding)
        for length, size, scale in zip(lengths, sizes, scales[2:], strict=True)
    ]
    if len(sizes) == 2:
        floors = [
            np.floor(np.arange(out) * np.float32(length / out)) for out, length in zip(sizes, lengths, strict=True)
        ]
        if all(np.array_equal(pick, floor) for pick, floor in zip(picks, floors, strict=True)):
            return tf.compat.v1.image.resize_nearest_neighbor(x, list(sizes))
        halves = [np.floor((np.arange(o) + 0.5) * np.float32(n / o)) for o, n in zip(sizes, lengths, strict=True)]
        if all(np.array_equal(pick, half) for pick, half in zip(picks, halves, strict=True)):
            return tf.compat.v1.image.resize_nearest_neighbor(x, list(sizes), half_pixel_centers=True)
    for axis, pick in enumerate(picks, start=1):
        x = tf.gather(x, pick.astype(np.int32), axis=axis)
    return x


def _picked(call: Call, length: int, size: int, scale: float, coordinates: str, rounding: str) -> np.ndarray:  # type: ignore[type-arg]
    positions = np.arange(size, dtype=np.float64)
    if coordinates in ("half_pixel", "pytorch_half_pixel"):
        source = (positions + 0.5) / scale - 0.5
    elif coordinates == "asymmetric":
        source = positions / scale
    elif coordinates == "align_corners":
        source = positions * ((length - 1) / (size - 1) if size > 1 else 0)
    elif coordinates == "half_pixel_symmetric":
        adjustment = size / (scale * length)
        source = (length / 2) * (1 - adjustment) + (positions + 0.5) / scale - 0.5
    else:
        call.refuse(f"coordinate transformation {coordinates!r}")
    rounded = {
        "round_prefer_floor": lambda: np.ceil(source - 0.5),
        "round_prefer_ceil": lambda: np.floor(source + 0.5),
        "floor": lambda: np.floor(source),
        "ceil": lambda: np.ceil(source),
    }
    return rounded[rounding]().clip(0, length - 1)


def _linear(call: Call, x: Tensor, sizes: Sequence[int], scales: np.ndarray, coordinates: str) -> Tensor:  # type: ignore[type-arg]
    lengths = _input_sizes(call)
    exact = all(
        abs(out / length - float(scale)) < 1e-6 * float(scale)
        for out, length, scale in zip(sizes, lengths, scales[2:], strict=True)
    )
    if coordinates != "align_corners" and not exact:
        call.refuse(f"scales {scales.tolist()} that are not output size over input size, with linear interpolation")
    options = {
        "half_pixel": {"half_pixel_centers": True},
        "pytorch_half_pixel": {"half_pixel_centers": True},
        "half_pixel_symmetric": {"half_pixel_centers": True},
        "align_corners": {"align_corners": True},
        "asymmetric": {},
    }
    if coordinates not in options:
        call.refuse(f"coordinate transformation {coordinates!r}")
    if len(sizes) == 1:
        widened = tf.expand_dims(x, 1)
        return tf.squeeze(tf.raw_ops.ResizeBilinear(images=widened, size=[1, *sizes], **options[coordinates]), 1)
    return tf.raw_ops.ResizeBilinear(images=x, size=list(sizes), **options[coordinates])
