"""Resize and Upsample: TensorFlow's kernels where they compute what the node says, else gathers and matrix products."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim, Size, exact_quotient
from convert.layout.layout import Layout
from convert.layout.value import Array, Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers
from convert.lowering.resampling import COORDINATES, Axis, Sampling, interpolation_matrix, outside, picked

_BILINEAR_OPTIONS = {
    "half_pixel": {"half_pixel_centers": True},
    "pytorch_half_pixel": {"half_pixel_centers": True},
    "half_pixel_symmetric": {"half_pixel_centers": True},
    "align_corners": {"align_corners": True},
    "asymmetric": {},
}

_WHOLE = (0.0, 1.0)

_REPEATING = {("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"), ("half_pixel", "round_prefer_ceil")}
"""Ways of reading the nearest that for whole factors just repeat each element."""


@lowers("Upsample")
def upsample(call: Call) -> Value:
    """Resize as it was before operator set 10: asymmetric coordinates."""
    scales = call.constant(1)
    if scales is None:
        attribute = call.node.attributes.get("scales")
        if attribute is None:
            call.refuse("scales that are computed when the model runs")
        scales = np.asarray(attribute.as_floats(), np.float32)
    return _by_scales(call, scales.tolist(), Sampling(_mode(call), "asymmetric", "floor"))


@lowers("Resize", since=10)
def resize_by_scales(call: Call) -> Value:
    """Operator set 10: asymmetric coordinates, scales as the second input."""
    scales = call.require_constant(1, "scales")
    return _by_scales(call, scales.tolist(), Sampling(_mode(call), "asymmetric", "floor"))


@lowers("Resize", since=11)
def resize(call: Call) -> Value:
    """To sizes, or by scales; the coordinate transformation says which input position an output position reads."""
    sampling = Sampling(
        _mode(call),
        call.text("coordinate_transformation_mode", "half_pixel"),
        call.text("nearest_mode", "round_prefer_floor"),
        call.number("cubic_coeff_a", -0.75),
        bool(call.integer("exclude_outside", 0)),
        bool(call.integer("antialias", 0)),
    )
    if sampling.coordinates not in COORDINATES:
        call.refuse(f"coordinate transformation {sampling.coordinates!r}")
    axes = tuple(axis % call.value(0).rank for axis in call.integers("axes") or range(call.value(0).rank))
    if call.has(3) and call.value(3).sizes != (0,):
        return _to_sizes(call, axes, sampling)
    given = call.require_constant(2, "scales").tolist()
    scales = [1.0] * call.value(0).rank
    for axis, scale in zip(axes, given, strict=True):
        scales[axis] = scale
    return _by_scales(call, scales, sampling)


def _mode(call: Call) -> str:
    mode = call.text("mode", "nearest")
    return "linear" if mode == "bilinear" else mode


def _to_sizes(call: Call, axes: Sequence[int], sampling: Sampling) -> Value:
    requested = call.sizes(3)
    if requested is None:
        call.refuse("a size that is computed when the model runs")
    policy = call.text("keep_aspect_ratio_policy", "stretch")
    if policy != "stretch":
        return _keeping_proportions(call, axes, requested, sampling, smallest=policy == "not_larger")
    sizes = list(call.value(0).sizes)
    for axis, size in zip(axes, requested, strict=True):
        sizes[axis] = size
    crops = _crops(call, axes, sampling)
    resized = [
        axis
        for axis, (old, new) in enumerate(zip(call.value(0).sizes, sizes, strict=True))
        if old != new or crops.get(axis, _WHOLE) != _WHOLE
    ]
    if any(isinstance(size, Dim) for axis in resized for size in (call.value(0).sizes[axis], sizes[axis])):
        return _to_dynamic_sizes(call, {axis: sizes[axis] for axis in resized}, sampling)
    targets = {axis: _axis(call, axis, sizes[axis], None, crops.get(axis, _WHOLE)) for axis in resized}
    return _resized(call, targets, sampling)


def _keeping_proportions(
    call: Call, axes: Sequence[int], requested: Sequence[Size], sampling: Sampling, *, smallest: bool
) -> Value:
    """One scale for all axes: the smallest or largest of those that the sizes ask for."""
    old = [call.value(0).sizes[axis] for axis in axes]
    if any(isinstance(size, Dim) for size in (*old, *requested)):
        call.refuse("keep_aspect_ratio_policy with a dynamic size")
    ratios = [int(str(new)) / int(str(size)) for new, size in zip(requested, old, strict=True)]
    scale = min(ratios) if smallest else max(ratios)
    lengths = [int(str(size)) for size in old]
    targets = {
        axis: Axis(length, int(np.floor(scale * length + 0.5)), scale)
        for axis, length in zip(axes, lengths, strict=True)
    }
    return _resized(call, {a: target for a, target in targets.items() if target.size != target.length}, sampling)


def _crops(call: Call, axes: Sequence[int], sampling: Sampling) -> dict[int, tuple[float, float]]:
    """For ``tf_crop_and_resize``, which part of each axis is read."""
    if sampling.coordinates != "tf_crop_and_resize":
        return {}
    roi = call.require_constant(1, "the region of interest").reshape(-1).tolist()
    return {axis: (roi[place], roi[place + len(axes)]) for place, axis in enumerate(axes)}


def _by_scales(call: Call, scales: Sequence[float], sampling: Sampling) -> Value:
    sizes = call.value(0).sizes
    if len(scales) != len(sizes):
        call.refuse(f"{len(scales)} scales for {len(sizes)} axes")
    if sampling.coordinates == "tf_crop_and_resize":
        call.refuse("tf_crop_and_resize by scales")
    resized = [axis for axis, scale in enumerate(scales) if scale != 1]
    if resized and all(isinstance(sizes[axis], Dim) for axis in resized):
        return _dynamic(call, scales, sampling)
    targets = {axis: _axis(call, axis, None, scales[axis]) for axis in resized}
    return _resized(call, targets, sampling)


def _axis(call: Call, axis: int, size: Size | None, scale: float | None, crop: tuple[float, float] = _WHOLE) -> Axis:
    length = call.value(0).sizes[axis]
    if isinstance(length, Dim) or isinstance(size, Dim):
        call.refuse("a size that is dynamic on one axis and not on another, or that is not a multiple of the input's")
    if size is None:
        assert scale is not None
        return Axis(length, int(np.floor(length * scale)), scale, crop)
    return Axis(length, size, size / length, crop)


def _dynamic(call: Call, scales: Sequence[float], sampling: Sampling) -> Value:
    """Dynamic height and width by whole factors: the size is known as a product."""
    whole = all(scale == int(scale) for scale in scales)
    if not whole or sampling.coordinates == "align_corners":
        call.refuse("an input of dynamic size, other than height and width by whole factors")
    sizes = call.value(0).sizes
    targets = {axis: sizes[axis] * int(scale) for axis, scale in enumerate(scales) if scale != 1}
    return _to_dynamic_sizes(call, targets, sampling)


def _to_dynamic_sizes(call: Call, targets: dict[int, Size], sampling: Sampling) -> Value:
    """Height and width to sizes known when the model runs: bilinear to any, nearest to whole multiples."""
    sizes = call.value(0).sizes
    if len(sizes) != 4 or not set(targets) <= {2, 3}:
        call.refuse("a size that is dynamic, on other axes than height and width")
    wanted = [targets.get(axis, sizes[axis]) for axis in (2, 3)]
    size = call.trace.shape(wanted, infer_one=False)
    if sampling.mode == "nearest":
        factors = [exact_quotient(new, old) for new, old in zip(wanted, sizes[2:], strict=True)]
        if not all(isinstance(factor, int) for factor in factors):
            call.refuse(
                "a dynamic size that is not a multiple of the input's, which may be rounded to either neighbour"
            )
        if (sampling.coordinates, sampling.rounding) not in _REPEATING:
            call.refuse(f"{sampling.coordinates} with {sampling.rounding} on an input of dynamic size")
        resized = tf.raw_ops.ResizeNearestNeighbor(images=call.channels_last(0), size=size)
    else:
        options = _BILINEAR_OPTIONS.get(sampling.coordinates)
        if sampling.mode != "linear" or sampling.antialias or sampling.exclude_outside or options is None:
            call.refuse(f"mode {sampling.mode!r} on an input of dynamic size, with what TensorFlow's kernel has not")
        x = call.channels_last(0)
        if sampling.coordinates == "pytorch_half_pixel":
            x = _first_where_one(call, x, wanted)
        resized = tf.raw_ops.ResizeBilinear(images=x, size=size, **options)
    static = [None if isinstance(new, Dim) else new for new in wanted]
    return call.channels_last_result(tf.ensure_shape(resized, [None, *static, None]))


def _first_where_one(call: Call, x: Tensor, wanted: Sequence[Size]) -> Tensor:
    """``pytorch_half_pixel`` reads the first position for an output of size 1, TensorFlow's kernel the middle."""
    limits: list[Tensor | int | None] = []
    for new, old in zip(wanted, call.value(0).sizes[2:], strict=True):
        if isinstance(new, Dim) and new.factor == 1:
            limits.append(tf.where(call.trace.scalar(new) > 1, call.trace.scalar(old), 1))
        else:
            limits.append(1 if new == 1 else None)
    return x if all(limit is None for limit in limits) else x[:, : limits[0], : limits[1], :]


def _resized(call: Call, axes: dict[int, Axis], sampling: Sampling) -> Value:
    if not axes:
        return call.value(0)
    cropped = sampling.coordinates == "tf_crop_and_resize"
    if (
        call.value(0).rank == 4
        and set(axes) <= {2, 3}
        and not cropped
        and (y := _with_a_kernel(call, axes, sampling)) is not None
    ):
        return call.channels_last_result(y)
    rank = call.value(0).rank
    layout = Layout.channels_last(rank) if rank in (4, 5) else Layout.identity(rank)
    x = call.tensor(0, layout)
    for logical, axis in axes.items():
        physical = layout.physical_axis(logical)
        if sampling.mode == "nearest":
            x = tf.gather(x, picked(sampling, axis), axis=physical)
        elif sampling.mode in ("linear", "cubic"):
            if sampling.coordinates == "align_corners" and not axis.is_exact:
                call.refuse("align_corners with a scale that is not output size over input size: its readers disagree")
            x = _along(x, physical, interpolation_matrix(sampling, axis))
        else:
            call.refuse(f"mode {sampling.mode!r}")
    if cropped:
        x = _extrapolated(x, {layout.physical_axis(a): outside(sampling, axis) for a, axis in axes.items()}, call)
    return call.result(x, layout)


def _extrapolated(x: Tensor, beyond: dict[int, np.ndarray], call: Call) -> Tensor:  # type: ignore[type-arg]
    """A fixed value where any axis reads beyond the input."""
    mask = np.zeros((1,) * x.shape.rank, bool)
    for physical, positions in beyond.items():
        mask = mask | positions.reshape([-1 if other == physical else 1 for other in range(x.shape.rank)])
    if not mask.any():
        return x
    return tf.where(mask, tf.constant(call.number("extrapolation_value", 0.0), x.dtype), x)


def _with_a_kernel(call: Call, axes: dict[int, Axis], sampling: Sampling) -> Tensor | None:
    """TensorFlow's resize of height and width, if it reads the same positions."""
    spatial = [axes.get(axis, _axis(call, axis, call.value(0).sizes[axis], None)) for axis in (2, 3)]
    size = [axis.size for axis in spatial]
    if sampling.mode == "nearest":
        if all(np.array_equal(picked(sampling, axis), _floored(axis, 0.0)) for axis in spatial):
            return tf.raw_ops.ResizeNearestNeighbor(images=call.channels_last(0), size=size)
        if all(np.array_equal(picked(sampling, axis), _floored(axis, 0.5)) for axis in spatial):
            return tf.raw_ops.ResizeNearestNeighbor(images=call.channels_last(0), size=size, half_pixel_centers=True)
        return None
    exact = sampling.coordinates == "align_corners" or all(axis.is_exact for axis in spatial)
    single = sampling.coordinates in ("pytorch_half_pixel", "align_corners") and 1 in size
    if sampling.mode != "linear" or sampling.antialias or sampling.exclude_outside or not exact or single:
        return None
    options = _BILINEAR_OPTIONS[sampling.coordinates]
    return tf.raw_ops.ResizeBilinear(images=call.channels_last(0), size=size, **options)


def _floored(axis: Axis, shift: float) -> Array:
    """What TensorFlow's nearest neighbour picks, in its float32 arithmetic."""
    scale = np.float32(axis.length / axis.size)
    positions: Array = np.floor((np.arange(axis.size, dtype=np.float32) + np.float32(shift)) * scale)
    return positions.clip(0, axis.length - 1).astype(np.int32)


def _along(x: Tensor, axis: int, matrix: Array) -> Tensor:
    """``matrix`` times ``x`` over one axis: the axes before it as a batch, those after it as columns."""
    shape = [x.shape[i] if x.shape[i] is not None else tf.shape(x)[i] for i in range(x.shape.rank)]
    trailing = int(np.prod([int(size) for size in x.shape[axis + 1 :]]))
    stacked = tf.reshape(x, [-1, x.shape[axis], trailing])
    product = tf.matmul(tf.cast(matrix, x.dtype), stacked)
    return tf.reshape(product, tf.stack([*shape[:axis], len(matrix), *shape[axis + 1 :]]))
