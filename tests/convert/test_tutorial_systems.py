"""The systems that tutorials teach go through the whole float road, exactly, in the SavedModel and in LiteRT."""

from __future__ import annotations

from pathlib import Path

import lowering_jobs
import nets
import pytest
from lowering_jobs import ModelOutcome
from subjects import image_makers, tutorials
from test_export_module import export, worst_sqnr_db
from torch import nn

from convert.stages.lower import OnnxToSavedModel
from verify.worker import Worker

RIGHT_DB = 100.0

SYSTEMS = [
    kind
    for module in (tutorials, image_makers)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, nn.Module) and hasattr(kind, "inputs")
]
WITHOUT_TRANSPOSE = [
    tutorials.AlexNetWithLrn,
    tutorials.EfficientNetLike,
    tutorials.LeNet5,
    tutorials.ParallelBlocks,
    tutorials.PNet,
    tutorials.SingleChannelCnn,
    tutorials.SiameseNet,
    tutorials.TwoLayerNet,
    image_makers.DcganGenerator,
    image_makers.StyleTransferNet,
    image_makers.SuperResolutionNet,
    image_makers.UNet,
]


def converted(kind: type[nn.Module], worker: Worker, folder: Path) -> ModelOutcome:
    net = nets.ready(kind)
    onnx_path = folder / "net.onnx"
    outcome = export(net.module, onnx_path, inputs=net.inputs)
    assert (outcome.exporter, outcome.refusals) == ("newer", ())
    assert worst_sqnr_db(net.module, onnx_path, net.inputs) >= RIGHT_DB
    bounds = {spec.name: int(spec.high) + 1 for spec in net.inputs if spec.dtype == "int64" and spec.high is not None}
    stage = OnnxToSavedModel(lowering="exact").to_json()
    return worker.run(
        lowering_jobs.convert_and_compare, onnx_path=onnx_path, folder=folder, stage=stage, bounds=bounds
    ).value


@pytest.mark.parametrize("kind", SYSTEMS, ids=lambda kind: kind.__name__)
def test_a_tutorials_system_converts_exactly_at_batch_1_2_and_5(
    kind: type[nn.Module], worker: Worker, tmp_path: Path
) -> None:
    outcome = converted(kind, worker, tmp_path)

    assert min(outcome.saved_model_db, outcome.tflite_db) >= RIGHT_DB
    assert [spec.name for spec in outcome.signature.inputs] == [spec.name for spec in kind.inputs]  # type: ignore[attr-defined]
    assert all(spec.shape[0] == "N" for spec in (*outcome.signature.inputs, *outcome.signature.outputs))
    if kind in WITHOUT_TRANSPOSE:
        assert "TRANSPOSE" not in outcome.tflite_ops
