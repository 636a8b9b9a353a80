"""What hides a fault, or looks like one: masks, ranges that clip by intent, an order of axes of one op's own making."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from verify.batches import write_batch
from verify.localise.aligned import Aligned
from verify.localise.axes import AxisMap, likeness_db, sqnr_of
from verify.localise.compare import compare_layers
from verify.localise.culprit import culprit_of
from verify.localise.graph import Op
from verify.opening import open_model

AXES = AxisMap((0,), (8,), (8,))


def layer(index: int, levels: float, stored_levels: float, local_db: float, how: str = "fingerprint") -> Aligned:
    op = Op(index, "ADD", (f"tensor_{index - 1}",), (f"tensor_{index}",))
    return Aligned(op.outputs[0], op.outputs[0], AXES, how, (op,), local_db, False, levels, stored_levels)


RIGHT = [layer(at, 0.5, 0.5, 40.0) for at in range(6)]


def test_a_range_that_clips_what_nobody_needs_is_no_fault():
    assert culprit_of([*RIGHT, layer(6, 6.4, 0.6, 20.0), layer(7, 0.6, 0.6, 40.0)], quantized=True) is None


def test_a_range_that_clips_what_the_next_op_needs_is_the_culprit():
    clipping = layer(6, 30.0, 0.6, 10.0)
    assert culprit_of([*RIGHT, clipping, layer(7, 25.0, 25.0, 10.0)], quantized=True) is clipping


def test_a_range_that_clips_an_output_is_the_culprit():
    clipping = layer(6, 30.0, 0.6, 10.0, how="output")
    assert culprit_of([*RIGHT, clipping], quantized=True) is clipping


def test_less_than_four_levels_is_a_fault_where_the_others_are_right():
    faulty = layer(6, 3.0, 3.0, 18.0)
    assert culprit_of([*RIGHT, faulty], quantized=True) is faulty
    worse = [replace(each, stored_levels=1.0) for each in RIGHT]
    assert culprit_of([*worse, faulty], quantized=True) is None


def test_an_error_beside_a_mask_is_seen():
    random = np.random.default_rng(0)
    scores = random.normal(size=(2, 8, 8)).astype(np.float32)
    mask = np.triu(np.full((8, 8), np.finfo(np.float32).min), 1).astype(np.float32)
    expected, actual = scores + mask, scores * np.float32(1.1) + mask
    found = sqnr_of(expected, actual)
    assert found is not None
    assert 15 < found < 25
    assert likeness_db(expected, actual) < 25
    infinite = np.where(mask < 0, -np.inf, scores).astype(np.float32)
    assert likeness_db(infinite, np.where(mask < 0, -np.inf, actual)) < 25


def test_a_mask_on_one_side_alone_is_no_likeness():
    scores = np.random.default_rng(0).normal(size=(2, 8, 8)).astype(np.float32)
    masked = scores.copy()
    masked[:, 0] = -1e9
    assert likeness_db(masked, scores) < 10


def transposed(order: list[int]) -> onnx.ModelProto:
    random = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(random.normal(size=(5, 5)).astype(np.float32), name) for name in ("first", "second")
    ]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["rows", "first"], ["mixed"]),
            helper.make_node("Transpose", ["mixed"], ["turned"], perm=order),
            helper.make_node("Relu", ["turned"], ["positive"]),
            helper.make_node("MatMul", ["positive", "second"], ["scores"]),
        ],
        "net",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["N", 5, 5])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 5, 5])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_transposition_with_a_wrong_order_is_named(runtime_worker, tmp_path):
    for name, order in (("right", [0, 2, 1]), ("wrong", [0, 1, 2])):
        onnx.save(transposed(order), str(tmp_path / f"{name}.onnx"))
    rows = np.random.default_rng(1).normal(size=(4, 5, 5)).astype(np.float32)
    write_batch(tmp_path / "batches" / "batch_000.npz", {"rows": rows})
    expected, actual = (open_model(tmp_path / f"{name}.onnx", ()).artifact for name in ("right", "wrong"))
    job = runtime_worker.run(compare_layers, expected=expected, actual=actual, batches=tmp_path / "batches")
    culprit = job.value.culprit
    assert culprit is not None
    assert (culprit.layer.op, culprit.layer.op_index) == ("Transpose", 1)
