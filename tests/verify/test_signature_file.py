"""signature.json: written whole, read back equal, never applied to a file it does not describe."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from verify.artifact import Artifact, Format, sha256_of
from verify.errors import InputError
from verify.signature import Quantization, Signature, TensorSpec
from verify.signature_file import FILE_NAME, check_declared, declared_artifact, read_signatures, write_signatures

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


@pytest.mark.parametrize(
    "lie",
    [
        TensorSpec("image", "int8", ("N", 8, 6, 3), (0, 2, 3, 1), Quantization(0.25, -2)),
        TensorSpec("image", "int8", ("N", 8, 6, 3), (0, 2, 3, 1), Quantization(0.26, -3)),
        TensorSpec("image", "uint8", ("N", 8, 6, 3), (0, 2, 3, 1), Quantization(0.25, -3)),
        TensorSpec("image", "int8", ("N", 6, 8, 3), (0, 2, 3, 1), Quantization(0.25, -3)),
    ],
    ids=["zero point", "scale", "type", "shape"],
)
def test_a_declaration_that_the_file_contradicts_is_refused(artifact, lie):
    declared = replace(artifact, signature=replace(SIGNATURE, inputs=(lie,)))
    with pytest.raises(InputError, match=r"tflite has image as int8\[N, 8, 6, 3\] \(scale 0\.25, zero point"):
        check_declared(declared, SIGNATURE)


def test_layouts_and_names_of_axes_are_not_in_the_file_and_not_held_against_it(artifact):
    image, logits = SIGNATURE.inputs[0], SIGNATURE.outputs[0]
    own = Signature((replace(image, permutation=None, shape=("batch", 8, 6, 3)),), (logits,))
    check_declared(artifact, own)
