"""AffineGrid: where a transformed image is to be read."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim
from convert.layout.value import Array, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers


@lowers("AffineGrid")
def affine_grid(call: Call) -> Value:
    """The positions of a regular grid under one affine transformation for each sample."""
    sizes = call.sizes(1)
    if sizes is None or any(isinstance(size, Dim) for size in sizes[2:]):
        call.refuse("a size that is computed when the model runs")
    spatial = [int(str(size)) for size in sizes[2:]]
    points = _regular_grid(spatial, align_corners=bool(call.integer("align_corners", 0)))
    theta = call.tensor(0)
    moved = tf.matmul(theta, tf.constant(points.T, theta.dtype))
    return call.result(tf.reshape(tf.transpose(moved, [0, 2, 1]), [-1, *spatial, len(spatial)]))


def _regular_grid(spatial: list[int], *, align_corners: bool) -> Array:
    """``(points, axes + 1)``: positions in [-1, 1], the last axis first, and a 1."""
    ticks = []
    for size in spatial:
        if align_corners:
            ticks.append(np.linspace(-1.0, 1.0, size) if size > 1 else np.array([-1.0]))
        else:
            ticks.append((2.0 * np.arange(size) + 1.0) / size - 1.0)
    mesh = np.meshgrid(*ticks, indexing="ij")
    return np.stack([*(axis.reshape(-1) for axis in reversed(mesh)), np.ones(mesh[0].size)], axis=1)
