"""Every format runs the same batches, at any batch size, and speaks PyTorch layout outside."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from verify.artifact import Artifact, Format, sha256_of
from verify.batches import batch_name, batch_paths, read_batch, write_batch
from verify.errors import InputError, ModelUnreadable, SamplesInvalid
from verify.runners import open_runner, run_artifact
from verify.runners.saved_model_runner import saved_model_signature
from verify.runners.tflite_file import tflite_signature, tflite_signature_like
from verify.signature import Signature, TensorSpec
from verify.worker import Worker

NHWC = (0, 2, 3, 1)
PERMUTATIONS = {"image": NHWC, "features": NHWC}
BATCH_SIZES = (1, 2, 5)
SIGNATURE = Signature(
    inputs=(TensorSpec("image", "float32", ("N", 8, 6, 3), NHWC), TensorSpec("token", "int32", ("N",))),
    outputs=(TensorSpec("features", "float32", ("N", 8, 6, 32), NHWC), TensorSpec("logits", "float32", ("N", 40))),
)


@pytest.fixture(scope="module")
def batches(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("batches")
    random = np.random.default_rng(5)
    for index, size in enumerate(BATCH_SIZES):
        image = random.normal(0, 1, (size, 3, 8, 6)).astype(np.float32)
        write_batch(folder / batch_name(index), {"image": image, "token": random.integers(0, 10, size)})
    return folder


@pytest.fixture(scope="module")
def saved_model_outputs(tf_models, batches, tensorflow_worker, tmp_path_factory) -> Path:
    path = tf_models / "net_saved_model"
    folder = tmp_path_factory.mktemp("saved_model_outputs")
    artifact = Artifact(path, Format.SAVED_MODEL, SIGNATURE, sha256_of(path))
    record = tensorflow_worker.run(
        run_artifact, artifact=artifact, batches=batches, outputs=folder, measure_latency=True
    ).value
    assert record.batch_sizes == BATCH_SIZES
    assert record.latency_ms > 0
    return folder


def _tflite(path: Path, signature: Signature | None = None) -> Artifact:
    return Artifact(path, Format.TFLITE, signature or tflite_signature(path, PERMUTATIONS), sha256_of(path))


def _sqnr_db(expected: Path, actual: Path, name: str) -> float:
    pairs = [(read_batch(expected / path.name)[name], read_batch(path)[name]) for path in batch_paths(actual)]
    assert all(a.shape == b.shape for a, b in pairs)
    signal = sum(float(np.sum(np.square(a, dtype=np.float64))) for a, _ in pairs)
    noise = sum(float(np.sum(np.square(a - b, dtype=np.float64))) for a, b in pairs)
    return 10 * np.log10(signal / noise) if noise else np.inf


def test_saved_model_outputs_are_in_pytorch_layout(batches, saved_model_outputs):
    for path, size in zip(batch_paths(saved_model_outputs), BATCH_SIZES, strict=True):
        outputs = read_batch(path)
        assert outputs["features"].shape == (size, 32, 8, 6)
        assert outputs["logits"].shape == (size, 40)


def test_saved_model_says_what_it_takes_and_gives(tf_models, tensorflow_worker):
    signature = tensorflow_worker.run(
        saved_model_signature, path=tf_models / "net_saved_model", permutations=PERMUTATIONS
    ).value
    assert signature == SIGNATURE


def test_float_tflite_agrees_with_its_saved_model(tf_models, batches, saved_model_outputs, runtime_worker, tmp_path):
    artifact = _tflite(tf_models / "net_float32.tflite")
    assert artifact.signature == SIGNATURE
    record = runtime_worker.run(
        run_artifact, artifact=artifact, batches=batches, outputs=tmp_path, measure_latency=True
    ).value
    assert record.batch_sizes == BATCH_SIZES
    assert 0 < record.latency_ms < 100
    for name in ("features", "logits"):
        assert _sqnr_db(saved_model_outputs, tmp_path, name) > 110


def test_int8_inputs_are_quantized_and_outputs_dequantized_by_the_signature(
    tf_models, batches, saved_model_outputs, runtime_worker, tmp_path
):
    artifact = _tflite(tf_models / "net_int8.tflite")
    assert artifact.signature.input("image").dtype == "int8"
    assert artifact.signature.input("image").quantization.scale > 0
    assert artifact.signature.input("token").quantization is None
    runtime_worker.run(run_artifact, artifact=artifact, batches=batches, outputs=tmp_path, measure_latency=False)
    assert 20 < _sqnr_db(saved_model_outputs, tmp_path, "features") < 60
    assert read_batch(tmp_path / batch_name(0))["logits"].dtype == np.float32


def test_a_runner_takes_and_gives_arrays_as_the_file_stores_them(tf_models):
    with open_runner(_tflite(tf_models / "net_int8.tflite")) as runner:
        image = np.zeros((2, 8, 6, 3), np.int8)
        outputs = runner.infer({"image": image, "token": np.zeros(2, np.int32)})
    assert outputs["features"].dtype == np.int8
    assert outputs["features"].shape == (2, 8, 6, 32)


def test_signature_like_another_keeps_its_order_layouts_and_dim_names(tf_models):
    shuffled = Signature(
        inputs=(TensorSpec("token", "int64", ("batch",)), TensorSpec("image", "float32", ("batch", 8, 6, 3), NHWC)),
        outputs=(TensorSpec("logits", "float32", ("batch", 40)), SIGNATURE.outputs[0]),
    )
    found = tflite_signature_like(tf_models / "net_float32.tflite", shuffled)
    assert [spec.name for spec in (*found.inputs, *found.outputs)] == ["token", "image", "logits", "features"]
    assert found.input("image") == TensorSpec("image", "float32", ("batch", 8, 6, 3), NHWC)
    assert found.input("token") == TensorSpec("token", "int32", ("batch",))


def test_a_file_without_a_signature_goes_by_its_tensor_names(tf_models, tmp_path):
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils as flatbuffers

    model = flatbuffers.read_model(str(tf_models / "net_float32.tflite"))
    model.signatureDefs = []
    assert isinstance(model, schema.ModelT)
    bare = tmp_path / "bare.tflite"
    flatbuffers.write_model(model, str(bare))
    signature = tflite_signature(bare, {})
    names = ["serving_default_image:0", "serving_default_token:0"]
    assert sorted(spec.name for spec in signature.inputs) == names
    arrays = [np.ones((2, 8, 6, 3), np.float32), np.array([3, 4], np.int32)]
    with open_runner(_tflite(bare, signature)) as runner:
        bare_outputs = runner.infer(dict(zip(names, arrays, strict=True)))
    with open_runner(_tflite(tf_models / "net_float32.tflite")) as runner:
        outputs = runner.infer(dict(zip(("image", "token"), arrays, strict=True)))
    by_shape = {array.shape: array for array in bare_outputs.values()}
    for array in outputs.values():
        np.testing.assert_array_equal(by_shape[array.shape], array)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"PK\x03\x04 a zip, perhaps", bytes(64)])
def test_what_is_no_tflite_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelUnreadable, match=r"model\.tflite is no TFLite file"):
        tflite_signature(path, {})


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_tflite_file_is_a_typed_error_not_a_dead_tool(tf_models, batches, tmp_path, keep):
    whole = (tf_models / "net_float32.tflite").read_bytes()
    path = tmp_path / "cut.tflite"
    path.write_bytes(whole[: int(len(whole) * keep)])
    artifact = Artifact(path, Format.TFLITE, SIGNATURE, sha256_of(path))
    with (
        Worker("runtime", log_path=tmp_path / "log") as worker,
        pytest.raises(ModelUnreadable, match=r"cut\.tflite"),
    ):
        worker.run(run_artifact, artifact=artifact, batches=batches, outputs=tmp_path / "out", measure_latency=False)


@pytest.mark.parametrize(
    ("image", "given"),
    [
        (np.zeros((1, 8, 6, 5), np.float32), r"float32\[1, 8, 6, 5\]"),
        (np.zeros((1, 3, 8, 6), np.float32), r"float32\[1, 3, 8, 6\]"),
        (np.zeros((8, 6, 3), np.float32), r"float32\[8, 6, 3\]"),
        (np.zeros((1, 8, 6, 3), np.float64), r"float64\[1, 8, 6, 3\]"),
    ],
)
def test_an_input_that_does_not_fit_never_reaches_the_runtime(tf_models, image, given):
    """LiteRT itself runs this convolution on 5 channels and returns something."""
    with (
        open_runner(_tflite(tf_models / "net_float32.tflite")) as runner,
        pytest.raises(SamplesInvalid, match=rf"takes image as float32\[N, 8, 6, 3\], but the batch gives {given}"),
    ):
        runner.infer({"image": image, "token": np.zeros(1, np.int32)})


def test_a_batch_size_that_the_file_cannot_take_is_refused_with_the_runtimes_words(tf_models):
    """The declared batch is dynamic for both inputs; LiteRT meets 2 images and 3 tokens at an addition."""
    with (
        open_runner(_tflite(tf_models / "net_float32.tflite")) as runner,
        pytest.raises(ModelUnreadable, match=r"cannot run net_float32\.tflite on image float32\[2, 8, 6, 3\]"),
    ):
        runner.infer({"image": np.zeros((2, 8, 6, 3), np.float32), "token": np.zeros(3, np.int32)})


def test_a_batch_that_lacks_an_input_is_refused(tf_models, tmp_path):
    write_batch(tmp_path / batch_name(0), {"image": np.zeros((1, 3, 8, 6), np.float32)})
    with pytest.raises(SamplesInvalid, match="the batch has no token: it holds image"):
        run_artifact(_tflite(tf_models / "net_float32.tflite"), tmp_path, tmp_path / "out", measure_latency=False)


@pytest.mark.parametrize("shape", [(1, 8, 6, 3), (1, 3, 8), (1, 5, 8, 6)])
def test_a_batch_that_does_not_fit_the_declared_layout_is_refused(tf_models, tmp_path, shape):
    write_batch(tmp_path / batch_name(0), {"image": np.zeros(shape, np.float32), "token": np.zeros(1, np.int64)})
    with pytest.raises(SamplesInvalid, match=r"takes image as float32\[N, 3, 8, 6\], but the batch gives"):
        run_artifact(_tflite(tf_models / "net_float32.tflite"), tmp_path, tmp_path / "out", measure_latency=False)


def test_no_batches_is_an_error_not_an_empty_success(tf_models, tmp_path):
    with pytest.raises(SamplesInvalid, match="no batch files"):
        run_artifact(_tflite(tf_models / "net_float32.tflite"), tmp_path, tmp_path / "out", measure_latency=False)


def test_a_checkpoint_is_no_runnable_artifact(tf_models, tmp_path):
    artifact = dataclasses.replace(_tflite(tf_models / "net_float32.tflite"), format=Format.CHECKPOINT)
    with pytest.raises(InputError, match="says nothing of its architecture"):
        open_runner(artifact)


def test_batches_keep_any_tensor_name(tmp_path):
    arrays = {"file": np.arange(3), "a/b:0": np.ones((2, 2), np.float32), "scalar": np.array(True)}
    write_batch(tmp_path / batch_name(0), arrays)
    found = read_batch(tmp_path / batch_name(0))
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_batches_come_in_order_past_a_thousand(tmp_path):
    for index in (1001, 2, 999, 10):
        write_batch(tmp_path / batch_name(index), {"x": np.array([index])})
    assert [int(read_batch(path)["x"][0]) for path in batch_paths(tmp_path)] == [2, 10, 999, 1001]
