"""BatchNormalization in evaluation as what it is: one factor and one term a channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from convert.rewrites.graph import constant, input_of, integer, number

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Affine:
    """``y = x * scale + shift``, both (channels,) in float64."""

    scale: Floats
    shift: Floats


def affine_of(node: ir.Node) -> Affine | None:
    """The batch norm's factor and term, ``None`` if its statistics are not constants or it is in training mode."""
    arrays = [constant(input_of(node, index)) for index in range(1, 5)]
    if any(array is None for array in arrays) or integer(node, "training_mode", 0) or len(node.outputs) > 1:
        return None
    gamma, beta, mean, variance = (np.asarray(array, np.float64) for array in arrays)
    scale = gamma / np.sqrt(variance + number(node, "epsilon", 1e-5))
    return Affine(scale, beta - mean * scale)
