"""The constants of an int8 file's ops: how weights are stored, and what they weigh."""

from __future__ import annotations

from typing import Any

import numpy as np

from quantize.correction.stepped_model import SteppedModel
from verify.report.anatomy import WeightScales

_MOST_STEPS = 127
"""Weights are stored symmetrically: -127 to 127."""


def sizes(model: SteppedModel) -> list[int]:
    """Bytes of the constants of each op; of what several read, with the first."""
    counted: set[int] = set()
    found = []
    for operator in model.graph.operators:
        buffers = {int(model.graph.tensors[at].buffer) for at in operator.inputs if at >= 0} - counted
        counted |= buffers
        found.append(sum(_length(model.model.buffers[each].data) for each in buffers))
    return found


def weight_scales(model: SteppedModel, operator: Any) -> WeightScales | None:
    """Of the first constant that has a scale and more than one axis; ``None`` where an op has none."""
    for at in operator.inputs:
        tensor = model.graph.tensors[at] if at >= 0 else None
        if tensor is None or not _length(model.model.buffers[tensor.buffer].data):
            continue
        parameters = tensor.quantization
        if parameters is None or parameters.scale is None or not len(parameters.scale) or len(tensor.shape) < 2:
            continue
        scales = np.asarray(parameters.scale, np.float64)
        return WeightScales(
            channels=len(scales),
            least=float(scales.min()),
            median=float(np.median(scales)),
            largest=float(scales.max()),
            unused_levels=_unused_levels(model, tensor, int(parameters.quantizedDimension), len(scales)),
        )
    return None


def _unused_levels(model: SteppedModel, tensor: Any, axis: int, channels: int) -> float | None:
    from ai_edge_litert.schema_py_generated import TensorType

    if tensor.type != TensorType.INT8:
        return None
    stored = np.asarray(model.model.buffers[tensor.buffer].data, np.uint8).view(np.int8).reshape(tensor.shape)
    rows = np.moveaxis(stored, axis, 0).reshape(channels, -1) if channels > 1 else stored.reshape(1, -1)
    largest = np.maximum(rows.max(axis=1).astype(int), -rows.min(axis=1).astype(int))
    return float(1 - np.minimum(largest, _MOST_STEPS).mean() / _MOST_STEPS)


def _length(data: Any) -> int:
    return 0 if data is None else len(data)
