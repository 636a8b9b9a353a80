"""Other values for constants that operators read; ``None`` where a constant is none of that meaning."""

from __future__ import annotations

import numpy as np

from verify.faults.model import Array, single
from verify.faults.options import Operand


def paddings_shifted(operand: Operand) -> Array | None:
    """((1, 1), (1, 1)) → ((0, 2), (0, 2)): as much, but one to the side."""
    values = operand.values
    if values.ndim != 2 or values.shape[1] != 2 or not values[:, 0].any():
        return None
    moved = (values[:, 0] > 0).astype(values.dtype)
    return np.asarray(values + np.stack([-moved, moved], axis=1))


def pads_shifted(operand: Operand) -> Array | None:
    """The same for ONNX, which has all the beginnings first: (1, 1, 1, 1) → (0, 0, 2, 2)."""
    values = operand.values
    if values.ndim != 1 or values.dtype != np.int64 or len(values) % 2:
        return None
    before, after = np.split(values, 2)
    moved = (before > 0).astype(values.dtype)
    return np.concatenate([before - moved, after + moved]) if moved.any() else None


def another_reduced_axis(operand: Operand) -> Array | None:
    """The last of the reduced axes becomes one that is not reduced."""
    values, shape = operand.values, operand.input_shape
    if shape is None or len(shape) < 2 or values.dtype.kind != "i" or values.ndim > 1:
        return None
    axes = {int(axis) % len(shape) for axis in values.ravel()}
    free = [axis for axis in range(len(shape) - 1, -1, -1) if axis not in axes]
    if not axes or not free:
        return None
    changed = values.copy().ravel()
    changed[-1] = free[0]
    return changed.reshape(values.shape)


def another_permutation(operand: Operand) -> Array | None:
    """The last two of three or more axes exchanged."""
    values = operand.values
    if values.ndim != 1 or len(values) < 3 or sorted(values) != list(range(len(values))):
        return None
    return np.asarray(np.concatenate([values[:-2], values[:-3:-1]]).astype(values.dtype))


def scalar_slightly_larger(operand: Operand) -> Array | None:
    """A float scalar × 1.01."""
    values = operand.values
    if not single(values) or not np.isfinite(values).all() or not values.any():
        return None
    return np.asarray(values * 1.01, values.dtype)


def table_rolled(operand: Operand) -> Array | None:
    """Every row of a table of floats at the place of the next."""
    values = operand.values
    if values.ndim < 2 or not np.issubdtype(values.dtype, np.floating) or len(values) < 2:
        return None
    return np.roll(values, 1, axis=0)


def steeper(operand: Operand) -> Array | None:
    """Floats × 1.5."""
    values = operand.values
    return (values * 1.5).astype(values.dtype) if np.issubdtype(values.dtype, np.floating) else None
