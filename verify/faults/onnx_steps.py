"""The nodes of each :class:`Step` in ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.faults.fault import NotApplicable
from verify.faults.model import Step
from verify.faults.onnx_model import OnnxModel


def step_nodes(model: OnnxModel, tensor: str, made: str, step: Step) -> list[Any]:
    """The nodes that compute ``made`` from ``tensor``; raises :class:`NotApplicable`."""
    makers = {
        Step.FIRST_SAMPLE: _first_sample,
        Step.REVERSED_SAMPLES: _reversed_samples,
        Step.CONSTANT: _constant,
        Step.SATURATED: _saturated,
        Step.CAST: _cast,
        Step.EXTRA_AXIS: _extra_axis,
        Step.HEIGHT_WIDTH: _height_width,
        Step.LATER_ROW: _later_row,
    }
    if step not in makers:
        raise NotApplicable("the tensor is not quantized")
    if not model.shape(tensor):
        raise NotApplicable("the tensor is a scalar, or its shape is not known")
    return makers[step](model, tensor, made)


def _node(kind: str, inputs: list[str], made: str, **attributes: Any) -> Any:
    from onnx.helper import make_node

    return make_node(kind, inputs, [made], **attributes)


def _integers(model: OnnxModel, name: str, *values: int) -> str:
    return model.new_constant(np.array(values, np.int64), name)


def _first_sample(model: OnnxModel, tensor: str, made: str) -> list[Any]:
    if (model.shape(tensor) or (1,))[0] == 1:
        raise NotApplicable("the batch size is fixed to 1")
    first, size = f"{made}_first", f"{made}_shape"
    bounds = [_integers(model, f"{made}_{name}", value) for name, value in (("start", 0), ("end", 1), ("axis", 0))]
    return [
        _node("Slice", [tensor, *bounds], first),
        _node("Shape", [tensor], size),
        _node("Expand", [first, size], made),
    ]


def _reversed_samples(model: OnnxModel, tensor: str, made: str) -> list[Any]:
    parts = (("start", -1), ("end", np.iinfo(np.int64).min), ("axis", 0), ("step", -1))
    return [_node("Slice", [tensor, *(_integers(model, f"{made}_{name}", value) for name, value in parts)], made)]


def _constant(model: OnnxModel, tensor: str, made: str) -> list[Any]:
    size, zero = f"{made}_shape", _zero(model, tensor, made)
    return [_node("Shape", [tensor], size), _node("Expand", [zero, size], made)]


def _saturated(model: OnnxModel, tensor: str, made: str) -> list[Any]:
    return [_node("Min", [tensor, _zero(model, tensor, made)], made)]


def _cast(model: OnnxModel, tensor: str, made: str) -> list[Any]:
    from onnx import TensorProto

    if not model.is_float(tensor):
        raise NotApplicable("the output does not hold float32")
    return [_node("Cast", [tensor], made, to=TensorProto.DOUBLE)]


def _extra_axis(model: OnnxModel, tensor: str, made: str) -> list[Any]:
    return [_node("Unsqueeze", [tensor, _integers(model, f"{made}_axis", -1)], made)]


def _height_width(model: OnnxModel, tensor: str, made: str) -> list[Any]:  # noqa: ARG001 - as every step is made
    return [_node("Transpose", [tensor], made, perm=[0, 1, 3, 2])]


def _later_row(model: OnnxModel, tensor: str, made: str) -> list[Any]:
    """One row of zeros above, and the last row gone."""
    return [_node("Pad", [tensor, _integers(model, f"{made}_pads", 0, 0, 1, 0, 0, 0, -1, 0)], made)]


def _zero(model: OnnxModel, tensor: str, made: str) -> str:
    if not model.is_float(tensor):
        raise NotApplicable("the output does not hold float32")
    return model.new_constant(np.zeros([1] * len(model.shape(tensor) or ()), np.float32), f"{made}_zero")
