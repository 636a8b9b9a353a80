"""The export stage runs from its JSON in a torch worker, and hands on what a person should know."""

from __future__ import annotations

import nets
import pytest
import torch

from convert.stages.base import run_stage, stage_from_json
from convert.stages.export import ExportOnnx
from verify.artifact import Artifact, Format, sha256_of
from verify.errors import ExportFailed
from verify.model import ModelSource
from verify.runners.onnx_runner import onnx_signature
from verify.signature import Signature
from verify.worker import Worker


def checkpoint(path) -> Artifact:
    return Artifact(path, Format.CHECKPOINT, Signature((), ()), sha256_of(path))


@pytest.fixture(scope="module")
def torch_worker(tmp_path_factory):
    with Worker("torch", log_path=tmp_path_factory.mktemp("logs") / "torch.log", preload=("torch",)) as worker:
        yield worker


def test_every_option_reaches_the_checkpoint_loader(tmp_path):
    stage = ExportOnnx(
        arch="net.py:Net",
        arch_args=(("num_classes", "5"),),
        inputs=("image=N,1,28,28",),
        output_names=("logits",),
        trust_pickle=True,
        partial=True,
        prefer_ema=True,
        part="box_head",
    )
    assert stage_from_json(stage.to_json()) == stage
    assert stage.source(tmp_path / "net.pth") == ModelSource(
        path=tmp_path / "net.pth",
        arch="net.py:Net",
        arch_args=(("num_classes", "5"),),
        inputs=("image=N,1,28,28",),
        output_names=("logits",),
        trust_pickle=True,
        partial=True,
        prefer_ema=True,
        part="box_head",
    )


def test_state_dict_becomes_an_onnx_artifact(torch_worker, tmp_path):
    torch.save(nets.ready(nets.LeNet).module.state_dict(), tmp_path / "net.pth")
    stage = ExportOnnx(arch=f"{nets.__file__}:LeNet", inputs=("image=N,1,28,28",), output_names=("digit",))
    out = tmp_path / "net.onnx"
    result = torch_worker.run(run_stage, stage=stage.to_json(), artifact=checkpoint(tmp_path / "net.pth"), out=out)
    artifact = result.value.artifact
    assert (artifact.path, artifact.format, artifact.sha256) == (out, Format.ONNX, sha256_of(out))
    assert artifact.signature == onnx_signature(out)
    assert [spec.name for spec in artifact.signature.outputs] == ["digit"]
    assert result.value.refusals == ()


def test_failed_export_crosses_the_process_boundary_as_itself(torch_worker, tmp_path):
    torch.save(nets.ready(nets.UnsupportedOpNet).module.state_dict(), tmp_path / "net.pth")
    stage = ExportOnnx(arch=f"{nets.__file__}:UnsupportedOpNet", inputs=("features=N,8",))
    with pytest.raises(ExportFailed, match=r"(?s)linalg_cholesky.*nets\.py:\d+, in forward"):
        torch_worker.run(
            run_stage, stage=stage.to_json(), artifact=checkpoint(tmp_path / "net.pth"), out=tmp_path / "net.onnx"
        )
