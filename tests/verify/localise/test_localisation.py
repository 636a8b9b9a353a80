"""A fault in one op is named, in ONNX and in TFLite, and a model without one names nobody."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from verify.batches import write_batch
from verify.localise.axes import AxisMap, best_likeness
from verify.localise.compare import compare_layers
from verify.opening import open_model

CONVOLUTIONS = 4


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """A chain of convolutions, each with a ReLU but the last, and a mean; and a batch of inputs."""
    folder = tmp_path_factory.mktemp("net")
    random = np.random.default_rng(0)
    nodes, weights, tensor = [], [], "image"
    for at in range(CONVOLUTIONS):
        kernel = random.normal(size=(6, 6 if at else 3, 3, 3)).astype(np.float32) / 5
        weights.append(numpy_helper.from_array(kernel, f"kernel_{at}"))
        nodes.append(helper.make_node("Conv", [tensor, f"kernel_{at}"], [f"conv_{at}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"conv_{at}"], [f"relu_{at}"]))
        tensor = f"relu_{at}"
    nodes.append(helper.make_node("GlobalAveragePool", [tensor], ["logits"]))
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 12, 12])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 6, 1, 1])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "net.onnx"))
    image = random.normal(size=(4, 3, 12, 12)).astype(np.float32)
    write_batch(folder / "batches" / "batch_000.npz", {"image": image})
    return folder, model


def localised(worker, folder, model, tmp_path):
    onnx.save(model, str(tmp_path / "faulty.onnx"))
    expected = open_model(folder / "net.onnx", ()).artifact
    actual = open_model(tmp_path / "faulty.onnx", ()).artifact
    job = worker.run(
        compare_layers,
        expected=expected,
        actual=actual,
        batches=folder / "batches",
        reproducer=tmp_path / "reproducer",
    )
    return job.value


def with_kernel(model, at: int, change):
    faulty = onnx.ModelProto()
    faulty.CopyFrom(model)
    tensor = faulty.graph.initializer[at]
    tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor).copy()), tensor.name))
    return faulty


def test_a_model_without_a_fault_has_no_culprit(runtime_worker, net, tmp_path):
    found = localised(runtime_worker, *net, tmp_path)
    assert found.culprit is None
    assert len(found.layers) == 2 * CONVOLUTIONS + 1
    assert all(layer.sqnr_db is None for layer in found.layers)


@pytest.mark.parametrize("at", [0, 2, 3])
@pytest.mark.parametrize("change", [lambda k: k[::-1], lambda k: k * np.float32(1.01), lambda k: k.swapaxes(2, 3)])
def test_the_convolution_with_wrong_weights_is_named(at, change, runtime_worker, net, tmp_path):
    folder, model = net
    found = localised(runtime_worker, folder, with_kernel(model, at, change), tmp_path)
    assert found.culprit is not None
    assert (found.culprit.layer.op, found.culprit.layer.op_index) == ("Conv", 2 * at)


def test_layers_after_a_fault_are_right_by_themselves(runtime_worker, net, tmp_path):
    folder, model = net
    found = localised(runtime_worker, folder, with_kernel(model, 1, lambda kernel: kernel[::-1]), tmp_path)
    after = [layer for layer in found.layers if layer.op_index > 3 and layer.op == "Conv"]
    assert len(after) == 2
    for layer in after:
        assert layer.local_sqnr_db is None or layer.local_sqnr_db > 100
        assert layer.sqnr_db is not None
        assert layer.sqnr_db < 30


def test_the_reproducer_fails_by_itself(runtime_worker, net, tmp_path):
    folder, model = net
    localised(runtime_worker, folder, with_kernel(model, 2, lambda kernel: -kernel), tmp_path)
    script = tmp_path / "reproducer" / "reproduce.py"
    ran = subprocess.run([sys.executable, str(script)], check=False, capture_output=True, text=True)
    assert ran.returncode == 1, ran.stderr
    assert "SQNR" in ran.stdout


def test_channels_last_is_recognised_and_undone():
    image = np.random.default_rng(0).normal(size=(2, 1, 3, 4, 5)).astype(np.float32)
    stored = image.transpose(0, 1, 3, 4, 2)
    likeness = best_likeness(image, stored, 60)
    assert likeness is not None
    np.testing.assert_array_equal(likeness.axes.judged(image), stored)


def test_another_tensor_of_the_same_size_is_not_taken_for_it():
    random = np.random.default_rng(0)
    assert best_likeness(random.normal(size=(2, 1, 3, 4, 5)), random.normal(size=(2, 1, 4, 5, 3)), 12) is None


def test_merged_axes_are_told_apart():
    axes = AxisMap((1, 2, 0), (3, 4, 5), (1, 60))
    image = np.arange(60).reshape(1, 1, 3, 4, 5)
    np.testing.assert_array_equal(axes.judged(image)[0, 0], image[0, 0].transpose(1, 2, 0).ravel())
