"""What rounding an op's weights to their steps makes of its outputs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from verify.localise.golden_run import GoldenRun
from verify.localise.graph import Op

_CONVOLVING = frozenset({"CONV_2D", "CONV_3D", "TRANSPOSE_CONV"})


def weight_noise(run: GoldenRun, op: Op, channels: int) -> npt.NDArray[np.float64] | None:
    """Root mean square of each output channel's error; ``None`` for an op without quantized weights.

    Weights that are each off by a uniform error of up to half a step make, of inputs x, an error of variance
    s² / 12 · Σ x², with s the channel's step.
    """
    weights = run.steps.weights(op)
    stored = None if weights is None else run.value(weights.input)
    if weights is None or stored is None:
        return None
    inputs = run.steps.real(weights.input, stored).astype(np.float64)
    energy = np.square(inputs).reshape(-1, inputs.shape[-1]).mean(axis=0)
    if op.kind == "DEPTHWISE_CONV_2D":
        told = np.repeat(energy, max(1, weights.shape[-1] // len(energy))) * np.prod(weights.shape[1:-1])
    elif op.kind in _CONVOLVING:
        told = np.full(channels, energy.sum() * np.prod(weights.shape[1:]) / weights.shape[-1])
    else:
        told = np.full(channels, np.square(inputs).sum() / (inputs.size / weights.depth))
    if len(told) != channels or len(weights.scales) not in {1, channels}:
        told = np.full(channels, told.max())
    scales = weights.scales if len(weights.scales) == channels else np.full(channels, weights.scales.max())
    noise: npt.NDArray[np.float64] = scales * np.sqrt(told / 12)
    return noise
