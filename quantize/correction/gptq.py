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
LARGEST_INT8, LARGEST_INT4 = 127, 7
PART = 1024
"""Inputs that are rounded together: the time for the inverse grows with the cube."""
_BLOCK = 32


def round_columns(
    weights: Floats, rows: Floats, scales: Floats, damping: float = DAMPING, largest: int = LARGEST_INT8
) -> Floats:
    """Whole numbers in -largest…largest for ``weights`` (groups, inputs, outputs), stored in steps of ``scales``.

    ``rows`` (groups, rows, inputs) are what enters, less its mean if biases take up the rest; ``scales`` (groups,
    outputs).
    """
    rounded = np.empty_like(weights)
    left: Floats | None = None
    parts = np.array_split(np.arange(weights.shape[1]), -(-weights.shape[1] // PART))
    for part in parts:
        entering, wanted = rows[:, :, part], weights[:, part]
        moments = _damped(_moments(entering), damping)
        if left is not None:
            wanted = wanted + np.linalg.solve(moments, entering.transpose(0, 2, 1) @ left)
        rounded[:, part] = _round_part(wanted, moments, scales, largest)
        if len(parts) > 1:
            error = entering @ (weights[:, part] - rounded[:, part] * scales[:, None])
            left = error if left is None else left + error
    return rounded


def _moments(entering: Floats) -> Floats:
    """Of each group, how its inputs go together: (groups, inputs, inputs). The longer of the two is done at once."""
    groups, _, inputs = entering.shape
    if groups < inputs:
        return entering.transpose(0, 2, 1) @ entering
    moments = np.empty((groups, inputs, inputs), np.float32)
    for one in range(inputs):
        for other in range(one + 1):
            together = np.einsum("gr,gr->g", entering[:, :, one], entering[:, :, other])
            moments[:, one, other] = moments[:, other, one] = together
    return moments


def _damped(moments: Floats, damping: float) -> Floats:
    diagonal = np.einsum("gii->gi", moments)
    diagonal += damping * diagonal.mean(axis=1, keepdims=True) + np.float32(1e-12)
    return moments


def _round_part(weights: Floats, moments: Floats, scales: Floats, largest: int) -> Floats:
    """One part. GPTQ in the form of LDLQ (2307.13304, theorem 6), which needs no inverse: with the moments as
    U D Uᵀ, U of unit diagonal, an input's weights are rounded after adding (what was rounded off those before) · U.
    """
    order = np.argsort(-np.einsum("gii->i", moments), kind="stable")
    feedback = _unit_factor(moments[:, order][:, :, order])
    wanted = weights[:, order]
    inverse = 1 / scales
    rounded, errors = np.empty_like(wanted), np.empty_like(wanted)
    count = wanted.shape[1]
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        target = wanted[:, start:stop] + feedback[:, :start, start:stop].transpose(0, 2, 1) @ errors[:, :start]
        for at in range(start, stop):
            target[:, at - start] += np.einsum("gi,gio->go", feedback[:, start:at, at], errors[:, start:at])
            nearest = np.clip(np.rint(target[:, at - start] * inverse), -largest, largest)
            rounded[:, at] = nearest
            errors[:, at] = wanted[:, at] - nearest * scales
    result = np.empty_like(rounded)
    result[:, order] = rounded
    return result


def _unit_factor(moments: Floats) -> Floats:
    """U of moments = U D Uᵀ: upper triangular, ones on the diagonal."""
    factor = np.linalg.cholesky(moments[:, ::-1, ::-1])[:, ::-1, ::-1]
    unit: Floats = factor / np.einsum("gii->gi", factor)[:, None, :]
    return unit
