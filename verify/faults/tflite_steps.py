"""The operators of each :class:`Step` in TFLite."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.faults.fault import NotApplicable
from verify.faults.model import Step
from verify.faults.tflite_model import TfliteModel


def add_step(model: TfliteModel, tensor: int, step: Step, at: int) -> int:
    """Insert the step's operators at that place and return the tensor that they give."""
    adders = {
        Step.FIRST_SAMPLE: _first_sample,
        Step.REVERSED_SAMPLES: _reversed_samples,
        Step.CONSTANT: _constant,
        Step.SATURATED: _saturated,
        Step.CAST: _cast,
        Step.EXTRA_AXIS: _extra_axis,
        Step.HEIGHT_WIDTH: _height_width,
        Step.LATER_ROW: _later_row,
        Step.ZERO_POINT: _zero_point,
        Step.SCALE: _scale,
    }
    return adders[step](model, tensor, at)


def _rank(model: TfliteModel, tensor: int) -> int:
    shape = model.shape(tensor)
    if not shape:
        raise NotApplicable("the tensor is a scalar")
    return len(shape)


def _first_sample(model: TfliteModel, tensor: int, at: int) -> int:
    from ai_edge_litert.schema_py_generated import StridedSliceOptionsT

    rank = _rank(model, tensor)
    if (model.shape(tensor) or (1,))[0] == 1:
        raise NotApplicable("the batch size is fixed to 1")
    options = StridedSliceOptionsT()
    options.beginMask = options.endMask = (1 << rank) - 2
    end = np.array([1] * rank, np.int32)
    bounds = [model.new_constant(values) for values in (np.zeros(rank, np.int32), end, np.ones(rank, np.int32))]
    first = model.tensor_like(tensor, "first")
    model.add_operator("STRIDED_SLICE", [tensor, *bounds], first, at, options)
    return _broadcast(model, first, like=tensor, at=at + 1)


def _broadcast(model: TfliteModel, small: int, *, like: int, at: int) -> int:
    """``small`` in the shape of ``like``."""
    from ai_edge_litert.schema_py_generated import ShapeOptionsT, TensorType

    options, rank = ShapeOptionsT(), _rank(model, like)
    options.outType = TensorType.INT32
    fields: dict[str, Any] = {"type": TensorType.INT32, "shape": [rank], "shapeSignature": None, "quantization": None}
    shape = model.tensor_like(like, "shape", **fields)
    made = model.tensor_like(like, "broadcast")
    model.add_operator("SHAPE", [like], shape, at, options)
    model.add_operator("BROADCAST_TO", [small, shape], made, at + 1)
    return made


def _reversed_samples(model: TfliteModel, tensor: int, at: int) -> int:
    _rank(model, tensor)
    made = model.tensor_like(tensor, "reversed")
    model.add_operator("REVERSE_V2", [tensor, model.new_constant(np.array([0], np.int32))], made, at)
    return made


def _low(model: TfliteModel, tensor: int) -> int:
    """A constant of one element that means zero."""
    dtype = model.stored_type(tensor)
    if dtype not in {np.float32, np.int8}:
        raise NotApplicable("the output is neither float32 nor int8")
    parameters = model.quantization(tensor)
    zero = 0 if parameters is None or dtype == np.float32 else int(parameters[1][0])
    return model.new_constant(np.full([1] * _rank(model, tensor), zero, dtype), like=tensor)


def _constant(model: TfliteModel, tensor: int, at: int) -> int:
    return _broadcast(model, _low(model, tensor), like=tensor, at=at)


def _saturated(model: TfliteModel, tensor: int, at: int) -> int:
    from ai_edge_litert.schema_py_generated import MaximumMinimumOptionsT

    made = model.tensor_like(tensor, "saturated")
    model.add_operator("MINIMUM", [tensor, _low(model, tensor)], made, at, MaximumMinimumOptionsT())
    return made


def _cast(model: TfliteModel, tensor: int, at: int) -> int:
    """To int32: what a phone's code would then read as other numbers."""
    from ai_edge_litert.schema_py_generated import CastOptionsT, TensorType

    if model.stored_type(tensor) == np.int32:
        raise NotApplicable("the output is of integers already")
    made = model.tensor_like(tensor, "cast", type=TensorType.INT32, quantization=None)
    model.add_operator("CAST", [tensor], made, at, CastOptionsT())
    return made


def _extra_axis(model: TfliteModel, tensor: int, at: int) -> int:
    from ai_edge_litert.schema_py_generated import ExpandDimsOptionsT

    shape = model.shape(tensor) or ()
    fields = {"shape": [*(abs(size) for size in shape), 1], "shapeSignature": [*shape, 1]}
    made = model.tensor_like(tensor, "expanded", **fields)
    model.add_operator(
        "EXPAND_DIMS", [tensor, model.new_constant(np.array([-1], np.int32))], made, at, ExpandDimsOptionsT()
    )
    return made


def _height_width(model: TfliteModel, tensor: int, at: int) -> int:
    from ai_edge_litert.schema_py_generated import TransposeOptionsT

    made = model.tensor_like(tensor, "transposed")
    model.add_operator(
        "TRANSPOSE", [tensor, model.new_constant(np.array([0, 2, 1, 3], np.int32))], made, at, TransposeOptionsT()
    )
    return made


def _later_row(model: TfliteModel, tensor: int, at: int) -> int:
    """One row of padding above, and the last row gone."""
    from ai_edge_litert.schema_py_generated import PadOptionsT, StridedSliceOptionsT

    shape = model.shape(tensor) or ()
    padded = model.tensor_like(
        tensor,
        "padded",
        shape=[abs(shape[0]), shape[1] + 1, *shape[2:]],
        shapeSignature=[shape[0], shape[1] + 1, *shape[2:]],
    )
    pads = model.new_constant(np.array([[0, 0], [1, 0], [0, 0], [0, 0]], np.int32))
    model.add_operator("PAD", [tensor, pads], padded, at, PadOptionsT())
    options = StridedSliceOptionsT()
    options.beginMask = options.endMask = 0b1101
    ends = (np.zeros(4, np.int32), np.array([1, shape[1], 1, 1], np.int32), np.ones(4, np.int32))
    made = model.tensor_like(tensor, "later")
    model.add_operator("STRIDED_SLICE", [padded, *map(model.new_constant, ends)], made, at + 1, options)
    return made


def _zero_point(model: TfliteModel, tensor: int, at: int) -> int:
    scale, zero_point = _per_tensor(model, tensor)
    return _reread(model, tensor, at, scale, zero_point + (1 if zero_point[0] < 127 else -1))


def _scale(model: TfliteModel, tensor: int, at: int) -> int:
    scale, zero_point = _per_tensor(model, tensor)
    return _reread(model, tensor, at, np.asarray(scale * np.float32(1.1), np.float32), zero_point)


def _per_tensor(model: TfliteModel, tensor: int) -> tuple[Any, Any]:
    parameters = model.quantization(tensor)
    if parameters is None or len(parameters[0]) != 1:
        raise NotApplicable("the tensor is not quantized")
    return parameters


def _reread(model: TfliteModel, tensor: int, at: int, scale: Any, zero_point: Any) -> int:
    """A RESHAPE copies bytes and leaves their meaning to the tensors on its two sides."""
    shape = model.shape(tensor) or ()
    if sum(size < 0 for size in shape) > 1:
        raise NotApplicable("the tensor has more than one dynamic dim")
    made = model.tensor_like(tensor, "reread")
    model.set_quantization(made, scale, zero_point)
    model.add_operator("RESHAPE", [tensor, model.new_constant(np.array(shape, np.int32))], made, at)
    return made
