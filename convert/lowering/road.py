"""The exact road from an ONNX file to a SavedModel folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass, ShapeInferencePass

from convert.lowering import onnx_file
from verify.errors import ModelUnreadable
from verify.signature import Signature


def read_model(path: Path) -> ir.Model:
    """An ONNX file with its functions inlined and its shapes inferred where the file lacks them."""
    try:
        model = onnx_file.load(path)
    except Exception as error:
        raise ModelUnreadable(
            f"{path} is no readable ONNX file: {type(error).__name__}: {error}", fix="export the model again"
        ) from error
    if model.functions:
        InlinePass()(model)
    if any(value.shape is None for node in model.graph for value in node.outputs if value.name):
        ShapeInferencePass()(model)
    return model


def lower_file(model: ir.Model, out: Path, layout: Sequence[str]) -> Signature:
    """Write the SavedModel of a model that is already read and rewritten; returns its signature."""
    from convert.lowering import saved_model
    from convert.lowering.interface import parse_layouts

    lowered = saved_model.lower(model, parse_layouts(layout), only_to_save=True)
    saved_model.save(lowered, out)
    return lowered.signature
