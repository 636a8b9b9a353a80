"""Every input is tried by itself: one that only one model heeds fails, however well the outputs agree elsewhere."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from make_onnx_model import write_onnx_net
from onnx import helper, numpy_helper

from verify.artifact import Artifact, Format
from verify.batches import batch_name, batch_paths, read_batch, write_batch
from verify.compare import compare_edge
from verify.influence import HEEDS, IGNORES, with_influences
from verify.report.types import Verdict
from verify.runners import run_artifact
from verify.runners.onnx_runner import onnx_signature
from verify.samples.mixed import MixedInput, write_mixed_inputs
from verify.tolerance import FloatBudget, QuantizedBudget, rounding_floors


def _net(path, *, weight: float, heeds_token: bool):
    """The embedding of the token is that much of itself; without heed the token is multiplied by 0."""
    model = onnx.load(str(write_onnx_net(path)))
    embedding = next(tensor for tensor in model.graph.initializer if tensor.name == "embedding")
    embedding.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(embedding) * np.float32(weight), "embedding"))
    if not heeds_token:
        gather = next(node for node in model.graph.node if node.op_type == "Gather")
        gather.input[1] = "nothing"
        model.graph.node.insert(0, helper.make_node("Mul", ["token", "none"], ["nothing"]))
        model.graph.initializer.append(numpy_helper.from_array(np.array(0, np.int64), "none"))
    onnx.save(model, str(path))
    return path


def _edge(tmp_path, budget, *, expected_heeds=True, actual_heeds=True, weight=1.0):
    random = np.random.default_rng(0)
    for index, size in enumerate((1, 2, 5)):
        image = random.normal(0, 1, (size, 3, 8, 6)).astype(np.float32)
        write_batch(tmp_path / "in" / batch_name(index), {"image": image, "token": np.arange(size) + index})
    mixed = write_mixed_inputs(folder=tmp_path / "in", inputs=("image", "token"))
    for side, heeds in (("expected", expected_heeds), ("actual", actual_heeds)):
        path = _net(tmp_path / f"{side}.onnx", weight=weight, heeds_token=heeds)
        artifact = Artifact(path, Format.ONNX, onnx_signature(path), "")
        run_artifact(artifact, tmp_path / "in", tmp_path / side, False)
    folders = {"expected": tmp_path / "expected", "actual": tmp_path / "actual"}
    budget = budget or FloatBudget(rounding_floors(folders["expected"]))
    edge = compare_edge(expected_name="a.onnx", actual_name="b.onnx", budget=budget, sample_count=8, **folders)
    return edge, with_influences(edge, mixed=mixed, budget=budget, **folders)


def test_two_models_that_heed_all_inputs_pass_as_before(tmp_path):
    before, after = _edge(tmp_path, None)
    assert before == after
    assert after.verdict is Verdict.PASS


def test_an_ignored_input_fails_where_the_decibels_pass(tmp_path):
    """The token is a small part of the logits: 15 dB do not see that it is gone."""
    before, after = _edge(tmp_path, QuantizedBudget(15.0), actual_heeds=False, weight=0.05)
    assert before.verdict is Verdict.PASS
    assert after.verdict is Verdict.FAIL
    assert after.outputs[1].failure == IGNORES


@pytest.mark.parametrize(("heeds", "failure"), [((True, False), IGNORES), ((False, True), HEEDS)])
def test_an_input_that_one_model_ignores_fails_that_output(tmp_path, heeds, failure):
    _, after = _edge(tmp_path, QuantizedBudget(-60.0), expected_heeds=heeds[0], actual_heeds=heeds[1])
    features, logits = after.outputs
    assert features.verdict is Verdict.PASS
    assert logits.failure == failure
    assert after.verdict is Verdict.FAIL
    assert "token moves it by up to" in logits.explanation


def test_an_input_that_neither_heeds_is_noted(tmp_path):
    _, after = _edge(tmp_path, None, expected_heeds=False, actual_heeds=False)
    assert after.verdict is Verdict.PASS
    assert after.notes == ("token moves no output of either model: what it does could not be compared",)


def test_a_failure_that_is_there_keeps_its_name(tmp_path):
    before, after = _edge(tmp_path, None, actual_heeds=False)
    assert before.outputs[1].failure == after.outputs[1].failure == "over tolerance"
    assert after.outputs[1].explanation.startswith("Ignores an input: token moves it")


def test_mixed_batches_change_one_input_each(tmp_path):
    for index, size in enumerate((1, 2, 5)):
        write_batch(tmp_path / batch_name(index), {"a": np.arange(size * 3).reshape(size, 3), "b": np.arange(size)})
    mixed = write_mixed_inputs(folder=tmp_path, inputs=("a", "b"))
    assert mixed == (
        MixedInput("a", "batch_001.npz", "batch_003.npz"),
        MixedInput("b", "batch_001.npz", "batch_004.npz"),
    )
    base, first = read_batch(tmp_path / "batch_001.npz"), read_batch(tmp_path / "batch_003.npz")
    assert np.array_equal(first["b"], base["b"])
    assert np.array_equal(first["a"], base["a"][::-1])


def test_a_sole_input_or_equal_samples_need_no_mixing(tmp_path):
    write_batch(tmp_path / batch_name(0), {"a": np.ones((4, 3)), "b": np.ones(4)})
    assert write_mixed_inputs(folder=tmp_path, inputs=("a",)) == ()
    assert write_mixed_inputs(folder=tmp_path, inputs=("a", "b")) == ()
    assert len(batch_paths(tmp_path)) == 1
