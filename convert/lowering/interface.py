"""What the TensorFlow model takes and gives: what the ONNX model does, in the layouts that were asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx_ir as ir

from verify.errors import InputSpecInvalid, ModelUnreadable, UnsupportedOp
from verify.signature import Dim, Signature, TensorSpec, channels_last_permutation

_AS_IN_PYTORCH = frozenset({"NCW", "NCHW", "NCDHW"})
_BITS = (8, 16, 32, 64)
_ELEMENT_TYPES = frozenset(
    ir.DataType[name]
    for name in ("BOOL", "FLOAT16", "FLOAT", "DOUBLE", *(f"{sign}INT{bits}" for sign in ("", "U") for bits in _BITS))
)
_CHANNELS_LAST = frozenset({"NWC", "NHWC", "NDHWC"})


def parse_layouts(options: Iterable[str]) -> dict[str, str]:
    """``("image=NCHW",)`` as ``{"image": "NCHW"}``."""
    layouts = {}
    for option in options:
        name, separator, layout = option.partition("=")
        if not separator or layout.upper() not in _AS_IN_PYTORCH | _CHANNELS_LAST:
            known = ", ".join(sorted(_AS_IN_PYTORCH | _CHANNELS_LAST))
            raise InputSpecInvalid(
                f"--layout {option!r} is not NAME=LAYOUT with a layout of {known}",
                fix="for example --layout image=NCHW",
            )
        layouts[name] = layout.upper()
    return layouts


def declare(model: ir.Model, layouts: Mapping[str, str]) -> Signature:
    """The signature of the artifact: 4-D and 5-D tensors channels-last unless ``layouts`` says otherwise."""
    given = [value for value in model.graph.inputs if value.name not in model.graph.initializers]
    names = [str(value.name) for value in [*given, *model.graph.outputs]]
    if unknown := [name for name in layouts if name not in names]:
        raise InputSpecInvalid(
            f"--layout names {', '.join(unknown)}, which is no input or output of the model",
            fix=f"it has {', '.join(names)}",
        )
    return Signature(
        tuple(_spec(value, layouts) for value in given), tuple(_spec(value, layouts) for value in model.graph.outputs)
    )


def _spec(value: ir.Value, layouts: Mapping[str, str]) -> TensorSpec:
    name = str(value.name)
    if isinstance(value.type, ir.SequenceType | ir.OptionalType):
        kind = "a sequence of tensors" if isinstance(value.type, ir.SequenceType) else "an optional"
        raise UnsupportedOp(
            f"{name!r} is {kind}, which TFLite does not have; expected a tensor",
            fix="give every tensor of it a name of its own, or stack them into one",
        )
    if value.shape is None or value.dtype is None:
        raise ModelUnreadable(
            f"{name!r} of the ONNX model has no shape or no type",
            fix="run onnx.shape_inference on it, or export it again",
        )
    if value.dtype not in _ELEMENT_TYPES:
        raise UnsupportedOp(
            f"{name!r} has elements of type {value.dtype.name}, which TFLite does not compute with",
            fix="export the model in float32",
        )
    sizes = tuple(_dim(dim, f"{name}_{axis}") for axis, dim in enumerate(value.shape))
    permutation = _permutation(name, len(sizes), layouts.get(name))
    stored = sizes if permutation is None else tuple(sizes[axis] for axis in permutation)
    return TensorSpec(name, str(value.dtype.numpy()), stored, permutation)


def _dim(dim: int | ir.SymbolicDim, unnamed: str) -> Dim:
    return dim if isinstance(dim, int) else str(dim.value or unnamed)


def _permutation(name: str, rank: int, layout: str | None) -> tuple[int, ...] | None:
    if layout is not None and len(layout) != rank:
        raise InputSpecInvalid(f"--layout {name}={layout} on a tensor of {rank} axes", fix="give one letter an axis")
    if layout in _AS_IN_PYTORCH:
        return None
    if layout in _CHANNELS_LAST:
        return (0, *range(2, rank), 1)
    return channels_last_permutation(rank)
