"""Rounding weights so that a layer's output changes least on what enters it, not so that each weight does.

GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers (2210.17323): inputs are rounded one
after the other, and those not yet rounded take up the error, equations 2 and 3, by the Cholesky form of its step 3.
Inputs are taken in order of how much they vary. Layers with many inputs are done in parts, each of which also takes up
what the parts before it left.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

DAMPING = 0.03
"""Of the mean diagonal: keeps errors from being put where the samples happen to show nothing."""
LARGEST = 127
PART = 1024
"""Inputs that are rounded together: the time for the inverse grows with the cube."""
_BLOCK = 32


def round_columns(weights: Floats, rows: Floats, scales: Floats, damping: float = DAMPING) -> Floats:
    """Whole numbers in -127…127 for ``weights`` (groups, inputs, outputs), stored in steps of ``scales``.

    ``rows`` (groups, rows, inputs) are what enters, less its mean if biases take up the rest; ``scales`` (groups,
    outputs).
    """
    rounded = np.empty_like(weights)
    left: Floats | None = None
    parts = np.array_split(np.arange(weights.shape[1]), -(-weights.shape[1] // PART))
    for part in parts:
        entering, wanted = rows[:, :, part], weights[:, part]
        moments = _damped(entering.transpose(0, 2, 1) @ entering, damping)
        if left is not None:
            wanted = wanted + np.linalg.solve(moments, entering.transpose(0, 2, 1) @ left)
        rounded[:, part] = _round_part(wanted, moments, scales)
        if len(parts) > 1:
            error = entering @ (weights[:, part] - rounded[:, part] * scales[:, None])
            left = error if left is None else left + error
    return rounded


def _damped(moments: Floats, damping: float) -> Floats:
    diagonal = np.einsum("gii->gi", moments)
    diagonal += damping * diagonal.mean(axis=1, keepdims=True) + np.float32(1e-12)
    return moments


def _round_part(weights: Floats, moments: Floats, scales: Floats) -> Floats:
    """One part, in blocks: within a block the error goes on at once, to all later ones when it is done."""
    order = np.argsort(-np.einsum("gii->i", moments), kind="stable")
    moments, wanted = moments[:, order][:, :, order], weights[:, order]
    factor = np.linalg.cholesky(np.linalg.inv(moments)).transpose(0, 2, 1).astype(np.float32)
    count, inverse = wanted.shape[1], 1 / scales
    rounded = np.empty_like(wanted)
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        errors = np.empty((len(wanted), stop - start, wanted.shape[2]), np.float32)
        for at in range(start, stop):
            nearest = np.clip(np.rint(wanted[:, at] * inverse), -LARGEST, LARGEST)
            rounded[:, at] = nearest
            error = (wanted[:, at] - nearest * scales) / factor[:, at, at, None]
            errors[:, at - start] = error
            wanted[:, at + 1 : stop] -= factor[:, at, at + 1 : stop, None] * error[:, None]
        wanted[:, stop:] -= factor[:, start:stop, stop:].transpose(0, 2, 1) @ errors
    result = np.empty_like(rounded)
    result[:, order] = rounded
    return result
