"""What models are fed, and what the report says was not."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from make_onnx_model import write_onnx_net, write_onnx_scale
from onnx import TensorProto, helper, numpy_helper
from verify_command import verification, verify

from verify.artifact import Artifact
from verify.chain.vocabulary import Vocabulary, vocabularies
from verify.errors import ExitCode
from verify.opening import open_model


def _run(tmp_path, *arguments: object, exit_code: ExitCode = ExitCode.PASS):
    result = verify(*arguments, "--output", tmp_path / "report")
    assert result.returncode == exit_code, result.stdout + result.stderr
    return verification(tmp_path / "report")


def test_dynamic_sizes_are_tried_smaller_and_larger_beside_batches_of_1_2_and_5(tmp_path):
    model = write_onnx_scale(tmp_path / "any.onnx", input_name="image", output_name="y", shape=("N", 3, "H", "W"))
    (image,) = _run(tmp_path, model, model)["inputs"]
    shapes = [tuple(shape) for shape in image["shapes"]]
    assert {(1, 3, 64, 64), (2, 3, 64, 64), (5, 3, 64, 64)} < set(shapes)
    assert [shape[2:] for shape in shapes[-2:]] == [(32, 32), (96, 96)]


def test_a_size_that_only_the_judged_model_refuses_is_a_failure(tmp_path):
    free = write_onnx_scale(tmp_path / "free.onnx", input_name="image", output_name="y", shape=("N", 3, "H", "W"))
    report = _run(tmp_path, free, _fixed_inside(tmp_path), exit_code=ExitCode.PARITY_FAILED)
    (output,) = report["edges"][0]["outputs"]
    assert output["failure"] == "missing output"
    assert any("fixed.onnx on image" in refusal["subject"] for refusal in report["refusals"])


def test_a_size_that_the_trusted_model_refuses_judges_nothing_and_is_left_open(tmp_path):
    free = write_onnx_scale(tmp_path / "free.onnx", input_name="image", output_name="y", shape=("N", 3, "H", "W"))
    (image,) = _run(tmp_path, _fixed_inside(tmp_path), free)["inputs"]
    assert {tuple(shape[2:]) for shape in image["shapes"]} == {(64, 64)}
    assert "H is dynamic, and only 64 was tried." in image["gaps"]
    assert any(gap.startswith("fixed.onnx cannot be run on image (2, 3, 32, 32)") for gap in image["gaps"])


def test_integers_stay_within_the_vocabulary_and_reach_its_ends(tmp_path):
    """The net's embedding has 10 rows; an 11th would be an error in onnxruntime, and garbage in LiteRT."""
    net = write_onnx_net(tmp_path / "net.onnx")
    _, token = _run(tmp_path, net, net)["inputs"]
    assert (token["low"], token["high"]) == (0, 9)
    assert not any("nothing says what it may hold" in gap for gap in token["gaps"])


def test_integers_of_unknown_range_are_fed_0_and_1_and_that_is_said(tmp_path):
    model = _integer_model(tmp_path / "count.onnx")
    report = _run(tmp_path, model, model)
    (count,) = report["inputs"]
    assert (count["low"], count["high"]) == (0, 1)
    assert any(gap.endswith("--input count=N,4:int64:0..29999.") for gap in count["gaps"])
    told = _run(tmp_path, model, model, "--input", "count=N,4:int64:0..500")["inputs"][0]
    assert told["high"] > 400
    assert len(told["gaps"]) == 1
    np.save(tmp_path / "data.npy", np.arange(12).reshape(3, 4) * 1000)
    assert _run(tmp_path, model, model, "--data", tmp_path / "data.npy")["inputs"][0]["high"] == 11000


def test_random_samples_leave_real_data_open_and_real_ones_do_not(tmp_path):
    model = write_onnx_scale(tmp_path / "net.onnx", input_name="x", output_name="y")
    random = _run(tmp_path, model, model)["inputs"][0]
    assert random["gaps"] == ["No real samples: what only real data reaches was not tried; give some with --data."]
    np.save(tmp_path / "data.npy", np.linspace(-2, 7, 36).reshape(9, 4))
    real = _run(tmp_path, model, model, "--data", tmp_path / "data.npy")["inputs"][0]
    assert real["gaps"] == []
    assert (real["low"], real["high"]) == (-2, 7)
    assert real["source"] == "9 samples from data.npy"


@pytest.mark.parametrize("name", ["net_float32.tflite", "net_int8.tflite"])
def test_the_vocabulary_is_read_from_tflite_too(tf_models, name):
    artifact: Artifact = open_model(tf_models / name, ()).artifact
    assert vocabularies(artifact=artifact) == (Vocabulary("token", 10),)


def test_the_smallest_table_decides_through_ops_that_keep_values(tmp_path):
    """``ids`` indexes a table of 7 rows as it is, and one of 5 after a Cast and an Unsqueeze; ``mask`` indexes none."""
    tables = [numpy_helper.from_array(np.ones((rows, 2), np.float32), f"table_{rows}") for rows in (7, 5)]
    axes = numpy_helper.from_array(np.array([1]), "axes")
    nodes = [
        helper.make_node("Gather", ["table_7", "ids"], ["first"]),
        helper.make_node("Cast", ["ids"], ["narrow"], to=TensorProto.INT32),
        helper.make_node("Unsqueeze", ["narrow", "axes"], ["wide"]),
        helper.make_node("Gather", ["table_5", "wide"], ["second"], axis=0),
        helper.make_node("Cast", ["mask"], ["third"], to=TensorProto.FLOAT),
    ]
    integers = [helper.make_tensor_value_info(name, TensorProto.INT64, ["N", 3]) for name in ("ids", "mask")]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *dims])
        for name, dims in (("first", (3, 2)), ("second", (1, 3, 2)), ("third", (3,)))
    ]
    path = _saved(helper.make_graph(nodes, "tables", integers, outputs, [*tables, axes]), tmp_path / "tables.onnx")
    assert vocabularies(artifact=open_model(path, ()).artifact) == (Vocabulary("ids", 5),)


def _fixed_inside(folder):
    """Says it takes any size, and takes 64 × 64."""
    sizes = numpy_helper.from_array(np.array([0, 3, 64, 64]), "sizes")
    three = numpy_helper.from_array(np.array(3, np.float32), "three")
    nodes = [
        helper.make_node("Reshape", ["image", "sizes"], ["same"]),
        helper.make_node("Mul", ["same", "three"], ["y"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, "H", "W"])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3, "H", "W"])
    return _saved(helper.make_graph(nodes, "fixed", [image], [output], [sizes, three]), folder / "fixed.onnx")


def _integer_model(path):
    nodes = [helper.make_node("Cast", ["count"], ["y"], to=TensorProto.FLOAT)]
    count = helper.make_tensor_value_info("count", TensorProto.INT64, ["N", 4])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])
    return _saved(helper.make_graph(nodes, "count", [count], [output]), path)


def _saved(graph, path):
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(path))
    return path
