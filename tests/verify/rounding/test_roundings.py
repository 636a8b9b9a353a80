"""Roundings behind an output: reduction lengths by hand, shared ops once, and a reason where none can be said."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from make_onnx_model import write_onnx_net
from onnx import TensorProto, helper, numpy_helper

from verify.rounding.ancestry import CountedOp, roundings_of
from verify.rounding.bound import UNIT_ROUNDOFF, Roundings, expected_error, worst_error
from verify.rounding.onnx_graph import onnx_roundings
from verify.rounding.tflite_graph import tflite_roundings

SIZES = {"image": (2, 3, 8, 6), "token": (2,)}


def _graph(tmp_path, nodes, weights, shape=("N", 6)):
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ones(dims, np.float32), name) for name, dims in weights.items()],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(path))
    return path


def test_a_convolution_a_mean_and_a_product_count_their_reductions(tmp_path):
    features, logits = onnx_roundings(write_onnx_net(tmp_path / "net.onnx"), SIZES)
    assert features == Roundings("features", 3 * 3 * 3)
    assert logits == Roundings("logits", 27 + (8 * 6 + 1) + 1 + 32)


def test_an_op_that_two_ways_lead_from_counts_once():
    ops = (
        CountedOp(("x",), ("shared",), 100),
        CountedOp(("shared",), ("gate",), 4),
        CountedOp(("shared", "gate"), ("y",), 1),
    )
    assert roundings_of(ops, [("out", "y")]) == (Roundings("out", 105),)


def test_large_weights_are_known_by_their_sizes(tmp_path):
    path = _graph(tmp_path, [helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": (6, 4000)})
    assert onnx_roundings(path, {"x": (2, 6)}) == (Roundings("y", 6),)


@pytest.mark.parametrize(
    ("op", "attributes", "count"),
    [("Softmax", {"axis": -1}, 6 + 5), ("Relu", {}, 0), ("ReduceMean", {"keepdims": 1}, 12 + 1), ("Exp", {}, 4)],
)
def test_each_kind_of_op_has_its_count(tmp_path, op, attributes, count):
    path = _graph(tmp_path, [helper.make_node(op, ["x"], ["y"], **attributes)], {})
    assert onnx_roundings(path, {"x": (2, 6)})[0].count == count


def test_an_op_that_is_not_known_says_so(tmp_path):
    path = _graph(tmp_path, [helper.make_node("Det", ["x"], ["y"])], {}, ("N", 3, 3))
    assert onnx_roundings(path, {"x": (1, 3, 3)}) == (Roundings("y", None, "how Det rounds is not known"),)


def test_tflite_counts_what_onnx_counts(tmp_path, tf_models, runtime_worker):
    from_tflite = runtime_worker.run(tflite_roundings, path=tf_models / "net_float32.tflite").value
    from_onnx = onnx_roundings(write_onnx_net(tmp_path / "net.onnx"), SIZES)
    counts = {each.output: each.count for each in from_tflite}
    for each in from_onnx:
        assert counts[each.output] == pytest.approx(each.count, abs=2)  # a bias here and there


def test_an_integer_convolution_is_not_counted_as_float(tf_models, runtime_worker):
    by_output = {
        each.output: each for each in runtime_worker.run(tflite_roundings, path=tf_models / "net_int8.tflite").value
    }
    assert by_output["logits"].count is None
    assert "computes in int8" in by_output["logits"].reason


def test_the_hard_bound_holds_and_the_expected_size_is_met():
    """Sums of 1000 products in one chain, in float32, against float64."""
    random = np.random.default_rng(0)
    left, right = random.normal(0, 1, (2, 400, 1000)).astype(np.float32)
    chained = np.zeros(400, np.float32)
    for step in range(1000):
        chained += left[:, step] * right[:, step]
    exact = np.einsum("ij,ij->i", left.astype(np.float64), right.astype(np.float64))
    magnitude = np.einsum("ij,ij->i", np.abs(left).astype(np.float64), np.abs(right).astype(np.float64))
    error = np.abs(chained - exact)
    assert (error <= worst_error(1000) * magnitude).all()
    measured = math.sqrt(np.mean(error**2) / np.mean(exact**2))
    assert 0.3 < measured / expected_error(1000) < 3


def test_so_many_roundings_that_nothing_is_left_bound_nothing():
    assert worst_error(1000) == pytest.approx(1000 * UNIT_ROUNDOFF, rel=1e-4)
    assert worst_error(2**24) == math.inf
