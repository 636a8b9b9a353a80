"""What cannot be exported ends in a typed error that names the reason and the line; a fallback is stated."""

from __future__ import annotations

from pathlib import Path

import nets
import pytest
import torch
from test_export_module import export, worst_sqnr_db
from torch import Tensor, nn
from torch.export import Dim

from verify.errors import ExitCode, ExportFailed
from verify.samples import InputSpec

POINTS = (InputSpec("features", ("N", 8)),)


class DistanceNet(nn.Module):
    """``cdist``, which only torch's older exporter can write."""

    def forward(self, features: Tensor) -> Tensor:
        points = features.reshape(-1, 4, 2)
        return torch.cdist(points, points + 1)


class FixedBatchNet(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features.reshape(2, 2, 4)


def line_of(path: str, code: str) -> int:
    lines = Path(path).read_text().splitlines()
    return 1 + next(index for index, line in enumerate(lines) if code in line)


def test_operator_that_onnx_lacks_fails_with_both_reasons_and_its_source_line(tmp_path):
    net = nets.ready(nets.UnsupportedOpNet)
    with pytest.raises(ExportFailed) as caught:
        export(net.module, tmp_path / "net.onnx", inputs=net.inputs)
    text = str(caught.value)
    assert caught.value.exit_code is ExitCode.CONVERSION_FAILED
    assert "newer exporter: DispatchError: No ONNX function found" in text
    assert "older exporter: UnsupportedOperatorError" in text
    assert "linalg_cholesky" in text
    assert (
        f"nets.py:{line_of(nets.__file__, 'torch.linalg.cholesky')}, in forward: return torch.linalg.cholesky" in text
    )
    assert caught.value.fix


def test_branch_on_data_is_never_baked_in_silently(tmp_path):
    net = nets.ready(nets.BranchNet)
    with pytest.raises(ExportFailed) as caught:
        export(net.module, tmp_path / "net.onnx", inputs=net.inputs)
    text = str(caught.value)
    assert "branches on the values in its data" in text
    assert f"nets.py:{line_of(nets.__file__, 'if x.sum() > 0')}, in forward: if x.sum() > 0:" in text
    assert "torch.where" in text
    assert "--exporter older" in text


def test_older_exporter_on_request_says_which_branch_it_baked_in(tmp_path):
    net = nets.ready(nets.BranchNet)
    outcome = export(net.module, tmp_path / "net.onnx", inputs=net.inputs, exporter="older")
    line = line_of(nets.__file__, "if x.sum() > 0")
    assert any(f"nets.py:{line}" in note and "constant" in note for note in outcome.notes)


def test_fallback_to_the_older_exporter_is_stated_with_the_reason(tmp_path):
    module = DistanceNet().eval()
    outcome = export(module, tmp_path / "net.onnx", inputs=POINTS)
    assert outcome.exporter == "older"
    (refusal,) = outcome.refusals
    assert refusal.subject == "torch's newer exporter"
    assert "_cdist_forward" in refusal.reason
    assert "test_export_failures.py" in refusal.reason
    assert outcome.signature.outputs[0].shape == ("N", 4, 4)
    assert worst_sqnr_db(module, tmp_path / "net.onnx", POINTS) > 60


def test_newer_exporter_alone_does_not_fall_back(tmp_path):
    with pytest.raises(ExportFailed, match="newer exporter: DispatchError"):
        export(DistanceNet().eval(), tmp_path / "net.onnx", inputs=POINTS, exporter="newer")


def test_batch_fixed_by_the_models_code_fails_instead_of_being_written(tmp_path):
    with pytest.raises(ExportFailed) as caught:
        export(FixedBatchNet().eval(), tmp_path / "net.onnx", inputs=POINTS)
    assert "the code fixes the batch to 2" in str(caught.value)
    assert f"test_export_failures.py:{line_of(__file__, 'features.reshape(2, 2, 4)')}, in forward" in str(caught.value)
    assert "x.flatten(1)" in caught.value.fix


def test_torchscript_archive_goes_through_the_older_exporter_and_says_so(tmp_path):
    net = nets.ready(nets.TinyMobileNet)
    torch.jit.trace(net.module, net.example()).save(str(tmp_path / "net.pt"))
    archive = torch.jit.load(str(tmp_path / "net.pt"))
    outcome = export(archive, tmp_path / "net.onnx", inputs=net.inputs)
    assert outcome.exporter == "older"
    assert "TorchScript archive" in outcome.notes[0]
    assert outcome.signature.outputs[0].shape == ("N", 10)
    assert worst_sqnr_db(archive, tmp_path / "net.onnx", net.inputs) > 110


def test_torchscript_archive_refuses_the_newer_exporter(tmp_path):
    net = nets.ready(nets.LeNet)
    archive = torch.jit.trace(net.module, net.example())
    with pytest.raises(ExportFailed, match=r"only torch's older exporter can write"):
        export(archive, tmp_path / "net.onnx", inputs=net.inputs, exporter="newer")


def test_exported_program_with_a_dynamic_batch_is_written(tmp_path):
    net = nets.ready(nets.TinyResNet)
    program = torch.export.export(net.module, net.example(), dynamic_shapes=({0: Dim("batch")},))
    torch.export.save(program, tmp_path / "net.pt2")
    outcome = export(torch.export.load(tmp_path / "net.pt2"), tmp_path / "net.onnx", inputs=net.inputs)
    assert outcome.exporter == "newer"
    assert outcome.signature.inputs[0].shape == ("N", 3, 32, 32)
    assert worst_sqnr_db(net.module, tmp_path / "net.onnx", net.inputs) > 110


def test_exported_program_with_a_fixed_batch_says_how_to_export_it_again(tmp_path):
    net = nets.ready(nets.TinyResNet)
    program = torch.export.export(net.module, net.example(batch=4))
    with pytest.raises(ExportFailed) as caught:
        export(program, tmp_path / "net.onnx", inputs=net.inputs)
    assert "fixes the batch: image is [4, 3, 32, 32]" in str(caught.value)
    assert "dynamic_shapes=" in caught.value.fix
    assert not (tmp_path / "net.onnx").exists()
