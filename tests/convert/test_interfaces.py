"""Any number of inputs and outputs, of any type that a file can have, in any structure that Python can return."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from subjects import interfaces
from test_export_module import export, worst_sqnr_db
from torch import nn

from convert import pth2tflite
from convert.stages.export import ExportOnnx
from verify.report.types import Verdict
from verify.runners.onnx_runner import onnx_signature


@pytest.mark.parametrize("exporter", ["newer", "older"])
@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (interfaces.GivesDataclass, ["boxes", "scores"]),
        (interfaces.GivesNamedTuple, ["logits", "hidden_0", "hidden_1"]),
        (interfaces.GivesModelOutput, ["logits"]),
        (interfaces.GivesNested, ["output_0", "1_maps_0", "1_maps_1", "2_0_boxes", "2_0_scores"]),
        (interfaces.GivesOneTwice, ["embedding", "logits", "again"]),
        (interfaces.GivesManyTypes, ["logits", "classes", "sure", "loss"]),
        (interfaces.TakesManyTypes, ["output"]),
        (interfaces.ChangesItsInput, ["output"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_inputs_and_outputs_keep_their_names_types_and_values(
    kind: type[nn.Module], names: list[str], exporter: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    module = kind().eval()
    inputs = kind.inputs  # type: ignore[attr-defined]
    outcome = export(module, tmp_path / "net.onnx", inputs=inputs, exporter=exporter)

    assert outcome.exporter == exporter
    assert [spec.name for spec in outcome.signature.outputs] == names
    assert outcome.signature == onnx_signature(tmp_path / "net.onnx")
    written = [(spec.name, spec.dtype, spec.shape) for spec in outcome.signature.inputs]
    assert written == [(spec.name, spec.dtype, spec.shape) for spec in inputs]
    if kind is not interfaces.ChangesItsInput:
        assert worst_sqnr_db(module, tmp_path / "net.onnx", inputs) > 110


def test_types_of_outputs_are_those_of_pytorch(tmp_path: Path) -> None:
    outcome = export(interfaces.GivesManyTypes().eval(), tmp_path / "net.onnx", inputs=(interfaces.FEATURES,))
    described = {spec.name: (spec.dtype, spec.shape) for spec in outcome.signature.outputs}
    assert described == {
        "logits": ("float32", ("N", 4)),
        "classes": ("int64", ("N",)),
        "sure": ("bool", ("N", 4)),
        "loss": ("float32", ()),
    }
    assert outcome.notes == ("output loss is [] whatever the batch: it does not depend on the inputs' first axis",)


def test_the_whole_command_carries_them_through_every_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(interfaces.Everything().state_dict(), tmp_path / "net.pth")
    inputs = ("ids=N,5:int64:0..9", "mask=N,5:bool", "segment=N:int32:0..3", "features=N,8", "extra=N,2")
    arch = ExportOnnx(arch=f"{interfaces.__file__}:Everything", inputs=inputs)

    report = pth2tflite(tmp_path / "net.pth", output=tmp_path / "out", export=arch)

    failures = [
        (edge.actual, out.name, out.explanation) for edge in report.edges for out in edge.outputs if out.failure
    ]
    assert report.verdict is Verdict.PASS, failures
    assert {artifact.name for artifact in report.artifacts} >= {"onnx", "saved_model", "float32", "float16"}
    for artifact in report.artifacts:
        assert [spec.name for spec in artifact.signature.inputs] == ["ids", "mask", "segment", "features", "extra"]
        assert {spec.name: spec.dtype for spec in artifact.signature.outputs} == {
            "tokens": "float32",
            "types_logits": "float32",
            "types_classes": "int64",
            "types_sure": "bool",
            "types_loss": "float32",
            "twice_embedding": "float32",
            "twice_logits": "float32",
            "twice_again": "float32",
            "detections_boxes": "float32",
            "detections_scores": "float32",
            "changed": "float32",
        }
