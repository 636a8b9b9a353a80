"""Clips and computed positions through the lowering, in the SavedModel and LiteRT, against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lowering_jobs
import make_volume_graphs as graphs
import pytest
from lowering_jobs import ModelOutcome

from convert.stages.lower import OnnxToSavedModel
from verify.worker import Worker

RIGHT_DB = 110.0


Convert = Callable[[Path], ModelOutcome]


@pytest.fixture
def convert(worker: Worker, tmp_path: Path) -> Convert:
    def run(onnx_path: Path) -> ModelOutcome:
        stage = OnnxToSavedModel(lowering="exact").to_json()
        outcome = worker.run(lowering_jobs.convert_and_compare, onnx_path=onnx_path, folder=tmp_path, stage=stage).value
        assert outcome.saved_model_db >= RIGHT_DB
        assert outcome.tflite_db >= RIGHT_DB
        return outcome

    return run


@pytest.mark.parametrize("stride", [1, 2])
def test_a_depthwise_convolution_of_clips_is_one_of_pictures_for_each_frame_of_its_kernel(
    convert: Convert, tmp_path: Path, stride: int
) -> None:
    outcome = convert(graphs.depthwise_clip(tmp_path / "net.onnx", stride=stride))

    assert outcome.tflite_ops["DEPTHWISE_CONV_2D"] == 3
    assert "CONV_3D" not in outcome.tflite_ops


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "ceil_mode"), [(3, 2, 1, 0), (3, 2, 1, 1), (3, 2, 0, 1), (2, 2, 0, 0), (3, 1, 1, 0)]
)
def test_pools_of_clips_are_pools_of_pictures_and_then_of_frames(
    convert: Convert, tmp_path: Path, kernel: int, stride: int, pad: int, ceil_mode: int
) -> None:
    path = graphs.pooled_clip(tmp_path / "net.onnx", kernel=kernel, stride=stride, pad=pad, ceil_mode=ceil_mode)

    outcome = convert(path)

    assert not {"PADV2", "TRANSPOSE", "CUSTOM"} & set(outcome.tflite_ops)


@pytest.mark.parametrize(
    ("mode", "padding", "align_corners"),
    [
        ("linear", "zeros", 1), ("linear", "zeros", 0), ("linear", "border", 0), ("linear", "reflection", 1),
        ("nearest", "border", 1), ("nearest", "zeros", 0), ("cubic", "zeros", 0), ("cubic", "reflection", 1),
    ],
)  # fmt: skip
def test_images_are_read_at_computed_positions(
    convert: Convert, tmp_path: Path, mode: str, padding: str, align_corners: int
) -> None:
    path = graphs.sampled(tmp_path / "net.onnx", mode=mode, padding=padding, align_corners=align_corners)

    outcome = convert(path)

    assert outcome.tflite_ops.get("TRANSPOSE", 0) <= 1  # of the grid, which comes in as an image does
