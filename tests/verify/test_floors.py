"""Floors from a model's own graph: float64 where ONNX allows, counted roundings where not, never below its spread."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from make_onnx_model import write_onnx_net
from onnx import TensorProto, helper

from verify.artifact import Artifact, Format
from verify.batches import batch_name, write_batch
from verify.floors import ONNX_BASIS, floors_from_graph
from verify.rounding.bound import expected_error
from verify.runners import run_artifact
from verify.runners.onnx_runner import onnx_signature
from verify.spread import BASIS, Spread, amplified_by, measure_spread, widened_by
from verify.tolerance import OutputFloor

FLOOR = OutputFloor("y", 1e-6, 4e-6, "measured")


def _run(path, folder, **shapes):
    random = np.random.default_rng(0)
    for index, size in enumerate((1, 2, 5)):
        batch = {
            name: random.integers(0, 10, size) if name == "token" else random.normal(0, 1, (size, *shape))
            for name, shape in shapes.items()
        }
        batch = {name: array.astype("int64" if name == "token" else "float32") for name, array in batch.items()}
        write_batch(folder / "in" / batch_name(index), batch)
    artifact = Artifact(path, Format.ONNX, onnx_signature(path), "")
    run_artifact(artifact, folder / "in", folder / "out", False)
    return {"artifact": artifact, "batches": folder / "in", "outputs": folder / "out"}


def test_an_onnx_model_is_judged_by_its_own_float64(tmp_path):
    ran = _run(write_onnx_net(tmp_path / "net.onnx"), tmp_path, image=(3, 8, 6), token=())
    found = floors_from_graph(**ran, scratch=tmp_path / "scratch")
    assert found.no_float64 == ""
    assert found.notes == ()
    assert {floor.name: floor.roundings for floor in found.floors} == {"features": 27, "logits": 109}
    assert all(floor.basis.startswith(ONNX_BASIS) for floor in found.floors)
    assert not (tmp_path / "scratch").exists()


def test_without_float64_the_roundings_are_counted_and_the_reason_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("verify.runners.onnx_float64.MOST_WORK", 10)
    ran = _run(write_onnx_net(tmp_path / "net.onnx"), tmp_path, image=(3, 8, 6), token=())
    found = floors_from_graph(**ran, scratch=tmp_path / "scratch")
    assert "too many to do in float64" in found.no_float64
    logits = next(floor for floor in found.floors if floor.name == "logits")
    values = np.concatenate([np.load(path)["logits"].ravel() for path in (tmp_path / "out").glob("*.npz")])
    assert logits.rms == pytest.approx(expected_error(109) * np.sqrt(np.mean(values.astype(float) ** 2)), rel=1e-5)
    assert "109 roundings" in logits.basis


def test_a_tflite_model_is_judged_by_its_roundings(tmp_path, tf_models, runtime_worker):
    from verify.runners.tflite_file import tflite_signature

    path = tf_models / "net_float32.tflite"
    layouts = {"image": (0, 2, 3, 1), "features": (0, 2, 3, 1)}
    signature = runtime_worker.run(tflite_signature, path=path, permutations=layouts).value
    artifact = Artifact(path, Format.TFLITE, signature, "")
    random = np.random.default_rng(0)
    image = random.normal(0, 1, (2, 3, 8, 6)).astype(np.float32)
    write_batch(tmp_path / "in" / batch_name(0), {"image": image, "token": np.array([1, 2], np.int32)})
    ran = {"artifact": artifact, "batches": tmp_path / "in", "outputs": tmp_path / "out"}
    runtime_worker.run(
        run_artifact, artifact=artifact, batches=tmp_path / "in", outputs=tmp_path / "out", measure_latency=False
    )
    found = runtime_worker.run(floors_from_graph, **ran, scratch=tmp_path / "scratch").value
    assert "only an ONNX graph" in found.no_float64
    assert {floor.name for floor in found.floors} == {"features", "logits"}
    assert all("roundings, no float64 reference" in floor.basis for floor in found.floors)
    assert all(floor.roundings for floor in found.floors)


def test_samples_that_influence_each_other_are_told_and_widen_nothing(tmp_path):
    """The mean over the batch: a sample alone gives another output."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["x", "first"], ["mean"]),
            helper.make_node("Sub", ["x", "mean"], ["y"]),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        [onnx.numpy_helper.from_array(np.array([0]), "first")],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(path))
    found = floors_from_graph(**_run(path, tmp_path, x=(4,)), scratch=tmp_path / "scratch")
    assert BASIS not in found.floors[0].basis
    assert "the samples of a batch influence each other" in found.notes[0]


def test_a_model_whose_samples_are_apart_has_a_spread_of_roundings(tmp_path):
    ran = _run(write_onnx_net(tmp_path / "net.onnx"), tmp_path, image=(3, 8, 6), token=())
    assert {spread.output for spread in measure_spread(**ran)} == {"features", "logits"}
    assert all(spread.max_abs < 1e-5 for spread in measure_spread(**ran))


def _write_lrn(path):
    """(N, 8, 4, 4): ONNX 1.19.1's own reference implementation normalises as many channels as there are samples."""
    graph = helper.make_graph(
        [helper.make_node("LRN", ["x"], ["y"], size=3, alpha=0.5)],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 8, 4, 4])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(path))
    return path


def test_a_float64_that_no_rounding_explains_is_not_trusted(tmp_path, monkeypatch):
    ran = _run(_write_lrn(tmp_path / "net.onnx"), tmp_path, x=(8, 4, 4))
    monkeypatch.setattr("verify.runners.onnx_float64_ops.FAST_OPS", ())
    found = floors_from_graph(**ran, scratch=tmp_path / "scratch")
    assert "an op in ONNX's reference implementation must be wrong" in found.no_float64
    assert found.floors[0].rms < 1e-6


def test_local_response_normalisation_goes_over_all_channels(tmp_path):
    ran = _run(_write_lrn(tmp_path / "net.onnx"), tmp_path, x=(8, 4, 4))
    found = floors_from_graph(**ran, scratch=tmp_path / "scratch")
    assert found.no_float64 == ""
    assert found.floors[0].rms < 1e-6


def test_a_spread_above_the_floor_widens_it_and_says_so():
    (wider,), notes = widened_by((FLOOR,), (Spread("y", 3e-6, 2e-6),))
    assert (wider.rms, wider.max_abs) == (3e-6, 4e-6)
    assert wider.basis == f"measured, widened to {BASIS}"
    assert notes == ()


def test_a_spread_below_the_floor_changes_no_number_and_says_so():
    (same,), notes = widened_by((FLOOR,), (Spread("y", 1e-7, 4e-7),))
    assert (same.rms, same.max_abs) == (FLOOR.rms, FLOOR.max_abs)
    assert same.basis == f"measured, more than {BASIS}"
    assert notes == ()
    assert widened_by((same,), (Spread("y", 1e-7, 4e-7),)) == ((same,), ())
    assert widened_by((FLOOR,), ()) == ((FLOOR,), ())


def _chaotic(path, steps: int):
    """x ← 3.9·x·(1 - x), which doubles a difference in about a step and a half."""
    nodes = []
    for step in range(steps):
        nodes += [
            helper.make_node("Sub", ["one", f"x{step}"], [f"rest{step}"]),
            helper.make_node("Mul", [f"x{step}", f"rest{step}"], [f"both{step}"]),
            helper.make_node("Mul", [f"both{step}", "rate"], [f"x{step + 1}"]),
        ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, ["N", 50])],
        [helper.make_tensor_value_info(f"x{steps}", TensorProto.FLOAT, ["N", 50])],
        [onnx.numpy_helper.from_array(np.array(number, np.float32), name) for name, number in CONSTANTS.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(path))
    return path


CONSTANTS = {"one": 1, "rate": 3.9}


def test_counted_roundings_are_widened_where_the_model_amplifies_them(tmp_path, monkeypatch):
    steps = 12
    monkeypatch.setattr("verify.runners.onnx_float64.MOST_WORK", 0)
    path = _chaotic(tmp_path / "net.onnx", steps)
    random = np.random.default_rng(0)
    for index, size in enumerate((1, 2, 5)):
        batch = {"x0": random.uniform(0.1, 0.9, (size, 50)).astype(np.float32)}
        write_batch(tmp_path / "in" / batch_name(index), batch)
    artifact = Artifact(path, Format.ONNX, onnx_signature(path), "")
    run_artifact(artifact, tmp_path / "in", tmp_path / "out", False)
    found = floors_from_graph(artifact, tmp_path / "in", tmp_path / "out", tmp_path / "scratch")
    (floor,) = found.floors
    assert "as the model amplifies one rounding" in floor.basis
    exact = np.load(tmp_path / "in" / batch_name(2))["x0"].astype(np.float64)
    for _ in range(steps):
        exact = np.float64(np.float32(3.9)) * exact * (1 - exact)
    error = np.load(tmp_path / "out" / batch_name(2))[f"x{steps}"] - exact
    noise = np.sqrt(np.mean(error**2))
    assert noise <= 4 * floor.rms
    assert noise > 16 * expected_error(3 * steps) * np.sqrt(np.mean(exact**2))  # what counting alone would refuse


def test_amplification_never_allows_more_than_a_hundredth_of_the_output():
    wild = Spread("y", rms=0.5, max_abs=2.0, rms_output=1.0)
    (floor,) = amplified_by((FLOOR,), (wild,), margin=16)
    assert 16 * floor.rms == pytest.approx(0.01)
    assert amplified_by((FLOOR,), (Spread("y", 0.5, 2.0, 1e-9),)) == (FLOOR,)
