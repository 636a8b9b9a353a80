"""What is checked around every stage."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from convert.pipeline import check_ensures, check_requires
from convert.stages.quantize import ToFloat16, ToInt8
from convert.stages.to_tflite import SavedModelToTflite
from verify.artifact import Artifact, Format
from verify.errors import ContractBroken
from verify.signature import Signature, TensorSpec

IMAGE = TensorSpec("image", "float32", ("N", 28, 28, 1), (0, 2, 3, 1))
LOGITS = TensorSpec("logits", "float32", ("N", 10))


def artifact(path: Path, format_: Format, *, image: TensorSpec = IMAGE, logits: TensorSpec = LOGITS) -> Artifact:
    path.touch()
    return Artifact(path, format_, Signature((image,), (logits,)), "aa")


def test_a_stage_refuses_what_it_does_not_take(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match=r"tflite takes a saved_model artifact, but net\.onnx is a onnx artifact"):
        check_requires(SavedModelToTflite(), artifact(tmp_path / "net.onnx", Format.ONNX))


def test_a_faithful_artifact_passes(tmp_path: Path) -> None:
    source = artifact(tmp_path / "a.tflite", Format.TFLITE)
    check_ensures(ToFloat16(), source, artifact(tmp_path / "b.tflite", Format.TFLITE))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"logits": TensorSpec("StatefulPartitionedCall:0", "float32", ("N", 10))}, "outputs were named"),
        ({"image": dataclasses.replace(IMAGE, name="x")}, "inputs were named"),
        (
            {"image": dataclasses.replace(IMAGE, shape=(1, 28, 28, 1))},
            r"the batch axis of image is frozen: \[1, 28, 28, 1\]",
        ),
        ({"logits": TensorSpec("logits", "float32", (1, 10))}, "the batch axis of logits is frozen"),
    ],
)
def test_a_broken_contract_is_named(tmp_path: Path, change: dict[str, TensorSpec], complaint: str) -> None:
    source = artifact(tmp_path / "a.tflite", Format.TFLITE)
    made = artifact(tmp_path / "b.tflite", Format.TFLITE, **change)
    with pytest.raises(ContractBroken, match=complaint):
        check_ensures(ToFloat16(), source, made)


def test_a_file_that_was_not_written_is_no_artifact(tmp_path: Path) -> None:
    source = artifact(tmp_path / "a.tflite", Format.TFLITE)
    made = artifact(tmp_path / "b.tflite", Format.TFLITE)
    made.path.unlink()
    with pytest.raises(ContractBroken, match=r"b\.tflite was not written"):
        check_ensures(ToFloat16(), source, made)


def test_scratch_inputs_do_not_name_the_result() -> None:
    assert ToInt8(calibration=Path("/somewhere")).key() == ToInt8(calibration=Path("/elsewhere")).key()
    assert ToInt8(max_samples=7).key() != ToInt8().key()
