"""``assert_parity`` passes what agrees, and fails everything else with what was found."""

from __future__ import annotations

import numpy as np
import pytest
from make_onnx_model import write_onnx_net, write_onnx_scale

from verify.errors import LockInvalid, ModelUnreadable
from verify.pytest_parity import ParityError, assert_parity
from verify.report.types import Verdict


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parity")
    write_onnx_net(folder / "net.onnx")
    write_onnx_net(folder / "spoiled.onnx", gain=1.001)
    write_onnx_scale(folder / "scale.onnx", input_name="x", output_name="y")
    return folder


def test_agreement_returns_what_was_found(models):
    found = assert_parity(models / "scale.onnx", str(models / "scale.onnx"), np.ones((3, 4)) * [[1], [2], [3]])
    assert found.verdict is Verdict.PASS
    assert found.samples.startswith("3 samples")


def test_a_failure_is_an_assertion_with_the_outputs_and_the_report(models, tmp_path):
    with pytest.raises(AssertionError) as caught:
        assert_parity(models / "net.onnx", models / "spoiled.onnx", report=tmp_path / "report")
    told = str(caught.value)
    assert told.startswith("They do not agree: do not ship. spoiled.onnx does not agree with net.onnx")
    assert "\n  net.onnx → spoiled.onnx, logits: over tolerance. Over tolerance: RMS error" in told
    assert f"report: {tmp_path / 'report' / 'report.html'}" in told
    assert isinstance(caught.value, ParityError)
    assert caught.value.verification.verdict is Verdict.FAIL


def test_what_cannot_be_told_is_no_agreement(models):
    """An output that is the same for every sample proves nothing."""
    with pytest.raises(ParityError):
        assert_parity(models / "scale.onnx", models / "scale.onnx", np.ones((3, 4)))


def test_a_lock_must_be_there_and_a_missing_model_is_a_typed_error(models):
    with pytest.raises(LockInvalid, match="there is no"):
        assert_parity(models / "net.onnx", models / "net.onnx", lock=models / "none.json")
    with pytest.raises(ModelUnreadable):
        assert_parity(models / "net.onnx", models / "gone.onnx")


def test_ones_own_integers_need_no_range(models, tmp_path):
    """Nothing says what ``token`` may hold here; the data does."""
    import onnx

    model = onnx.load(models / "net.onnx")
    gather = next(node for node in model.graph.node if node.op_type == "Gather")
    model.graph.node.insert(0, onnx.helper.make_node("Identity", [gather.input[1]], ["token_again"]))
    gather.input[1] = "token_again"
    onnx.save(model, tmp_path / "net.onnx")
    random = np.random.default_rng(0)
    data = {"image": random.normal(size=(4, 3, 8, 6)).astype(np.float32), "token": np.array([0, 3, 7, 9])}
    found = assert_parity(tmp_path / "net.onnx", tmp_path / "net.onnx", data)
    assert next(it for it in found.inputs if it.name == "token").high == 9
