"""ONNX files are run by onnxruntime at any batch, and say themselves what they take and give."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from verify.artifact import Artifact, Format
from verify.batches import batch_name, read_batch, write_batch
from verify.errors import ModelUnreadable, SamplesInvalid
from verify.runners import run_artifact
from verify.runners.onnx_runner import OnnxRunner, onnx_signature
from verify.signature import Signature, TensorSpec

SIGNATURE = Signature(
    inputs=(TensorSpec("image", "float32", ("N", 3)), TensorSpec("token", "int64", ("N",))),
    outputs=(TensorSpec("scores", "float32", ("N", 2)), TensorSpec("next", "int64", ("N",))),
)
WEIGHT = np.arange(6, dtype=np.float32).reshape(3, 2)


@pytest.fixture
def model(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["image", "w"], ["scores"]), helper.make_node("Add", ["token", "one"], ["next"])],
        "net",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3]),
            helper.make_tensor_value_info("token", TensorProto.INT64, ["N"]),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 2]),
        ],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2]),
            helper.make_tensor_value_info("next", TensorProto.INT64, ["N"]),
        ],
        [onnx.numpy_helper.from_array(WEIGHT, "w"), onnx.numpy_helper.from_array(np.int64(1), "one")],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def batch(size: int) -> dict[str, np.ndarray]:
    image = np.random.default_rng(size).standard_normal((size, 3), dtype=np.float32)
    return {"image": image, "token": np.arange(size)}


def test_signature_has_the_files_names_dtypes_and_symbolic_dims_without_its_weights(model):
    assert onnx_signature(model) == SIGNATURE


@pytest.mark.parametrize("size", [1, 2, 5])
def test_runs_at_any_batch(model, size):
    with OnnxRunner(model, SIGNATURE) as runner:
        outputs = runner.infer(batch(size))
    np.testing.assert_allclose(outputs["scores"], batch(size)["image"] @ WEIGHT, rtol=1e-6)
    assert outputs["next"].tolist() == list(range(1, size + 1))


def test_a_folder_of_batches_goes_through_the_artifact(model, tmp_path):
    write_batch(tmp_path / "in" / batch_name(0), batch(2))
    record = run_artifact(Artifact(model, Format.ONNX, SIGNATURE, ""), tmp_path / "in", tmp_path / "out", True)
    assert record.batch_sizes == (2,)
    assert record.latency_ms is not None
    assert record.latency_ms > 0
    assert list(read_batch(tmp_path / "out" / batch_name(0))) == ["scores", "next"]


def test_inputs_that_do_not_fit_are_refused_by_name(model):
    with OnnxRunner(model, SIGNATURE) as runner:
        with pytest.raises(SamplesInvalid, match="has no token"):
            runner.infer({"image": batch(1)["image"]})
        with pytest.raises(
            SamplesInvalid, match=r"takes image as float32\[N, 3\], but the batch gives float32\[1, 4\]"
        ):
            runner.infer({"image": np.zeros((1, 4), np.float32), "token": np.zeros(1, np.int64)})


@pytest.mark.parametrize("content", [b"", b"not a model at all, but long enough to be one", b"\x08\x0a" * 40])
def test_what_is_no_onnx_file_is_named(content, tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelUnreadable, match=r"broken\.onnx is no ONNX file"):
        onnx_signature(path)
    with pytest.raises(ModelUnreadable, match=r"onnxruntime cannot open broken\.onnx"), OnnxRunner(path, SIGNATURE):
        pass


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ModelUnreadable, match=r"gone\.onnx is no ONNX file: FileNotFoundError"):
        onnx_signature(tmp_path / "gone.onnx")


def test_tensor_without_a_shape_is_named(model):
    proto = onnx.load(model)
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.save(proto, model)
    with pytest.raises(ModelUnreadable, match="scores has no shape"):
        onnx_signature(model)
