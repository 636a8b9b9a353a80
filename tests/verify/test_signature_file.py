"""signature.json: written whole, read back equal, never applied to a file it does not describe."""

from __future__ import annotations

import json

import pytest

from verify.artifact import Artifact, Format, sha256_of
from verify.errors import InputError
from verify.signature import Quantization, Signature, TensorSpec
from verify.signature_file import FILE_NAME, declared_artifact, read_signatures, write_signatures

SIGNATURE = Signature(
    inputs=(TensorSpec("image", "int8", ("N", 8, 6, 3), (0, 2, 3, 1), Quantization(0.25, -3)),),
    outputs=(TensorSpec("logits", "float32", ("N", 10)),),
)


@pytest.fixture
def artifact(tmp_path) -> Artifact:
    path = tmp_path / "model_int8.tflite"
    path.write_bytes(b"model")
    return Artifact(path, Format.TFLITE, SIGNATURE, sha256_of(path))


def test_what_is_written_is_read_back(artifact, tmp_path):
    write_signatures(tmp_path, (artifact,))
    assert declared_artifact(artifact.path) == artifact
    assert sorted(path.name for path in tmp_path.iterdir()) == [artifact.path.name, FILE_NAME]


def test_a_file_that_nothing_declares_has_none(artifact, tmp_path):
    assert declared_artifact(artifact.path) is None
    write_signatures(tmp_path, ())
    assert declared_artifact(artifact.path) is None


def test_a_changed_file_is_refused(artifact, tmp_path):
    write_signatures(tmp_path, (artifact,))
    artifact.path.write_bytes(b"another model")
    with pytest.raises(InputError, match=r"model_int8\.tflite is not the file that .*signature\.json describes"):
        declared_artifact(artifact.path)


def test_a_broken_signature_file_says_so(tmp_path):
    (tmp_path / FILE_NAME).write_text("{")
    with pytest.raises(InputError, match="is not a signature file"):
        read_signatures(tmp_path)
    (tmp_path / FILE_NAME).write_text(json.dumps({"a.tflite": {"format": "pickle"}}))
    with pytest.raises(InputError, match="is not a signature file"):
        read_signatures(tmp_path)
