"""Would ``verify`` notice? Every kind of fault, in ONNX, float TFLite and int8 TFLite."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from make_onnx_model import write_onnx_net
from self_tests import run_self_test

from verify.artifact import Format
from verify.chain.workers import open_workers
from verify.errors import ExitCode, InputError
from verify.faults import trial
from verify.faults.inject import fault_kinds
from verify.faults.result import Outcome
from verify.faults.terminal import self_test_exit_code
from verify.opening import Layout
from verify.worker import Limits


def _kinds(test, *outcomes: Outcome) -> set[str]:
    return {result.kind for result in test.of(*outcomes)}


def test_every_fault_that_matters_is_detected_in_onnx(onnx_test):
    assert not onnx_test.of(Outcome.SLIPPED)
    assert len(onnx_test.of(Outcome.DETECTED)) >= 38
    assert onnx_test.headline == f"detected {len(onnx_test.harmful)}/{len(onnx_test.harmful)}"
    assert self_test_exit_code(onnx_test) == ExitCode.PASS


def test_every_fault_that_matters_is_detected_in_a_float_tflite_file(tflite_test):
    assert not tflite_test.of(Outcome.SLIPPED)
    assert len(tflite_test.of(Outcome.DETECTED)) >= 38


def test_most_faulty_copies_run_so_that_it_is_the_comparison_that_notices(onnx_test, tflite_test):
    for test in (onnx_test, tflite_test):
        assert sum(result.ran for result in test.of(Outcome.DETECTED)) >= 30


def test_between_them_the_nets_have_something_for_every_kind(onnx_test, tflite_test, int8_test):
    tests = (onnx_test, tflite_test, int8_test)
    applied = set.union(*(_kinds(test, *set(Outcome) - {Outcome.NOT_APPLICABLE}) for test in tests))
    assert {result.kind for result in onnx_test.results} - applied == set()


def test_what_a_model_has_nothing_for_comes_with_the_reason(tflite_test):
    refused = {result.kind: result.evidence for result in tflite_test.of(Outcome.NOT_APPLICABLE)}
    assert refused["local_normalisation"] == "it has no local response normalisation"
    assert all(refused.values())


def test_a_lie_about_scale_or_zero_point_is_detected(int8_test):
    assert {"declared_scale", "declared_zero_point"} <= _kinds(int8_test, Outcome.DETECTED)


def test_a_loose_budget_lets_faults_of_an_int8_file_through_and_the_test_says_so(int8_test):
    assert int8_test.of(Outcome.SLIPPED)
    assert self_test_exit_code(int8_test) == ExitCode.PARITY_FAILED
    assert all(result.noticed_when_tight for result in int8_test.harmful)


def test_the_budget_that_it_names_lets_none_through(everything, int8_test):
    paths = everything / "everything.tflite", everything / "everything_int8.tflite"
    slipped = tuple(result.kind for result in int8_test.of(Outcome.SLIPPED))
    tight = run_self_test(*paths, slipped, min_sqnr_db=int8_test.tight_sqnr_db)
    assert tight.passed
    assert not tight.of(Outcome.SLIPPED)


def test_most_faults_within_a_loose_budget_are_an_op_that_is_wrong_by_itself(int8_test):
    named = [each for each in int8_test.of(Outcome.DETECTED) if "Op wrong by itself" in each.evidence]
    assert len(named) > 3 * len(int8_test.of(Outcome.SLIPPED))


def test_a_check_that_accepts_everything_is_caught(everything):
    path = everything / "everything.onnx"
    blind = run_self_test(path, path, ("channel_zeroed", "stale_batch", "layer_skipped"), min_sqnr_db=-1000.0)
    assert {each.kind for each in blind.of(Outcome.SLIPPED)} == {"channel_zeroed", "layer_skipped"}
    assert {each.kind for each in blind.of(Outcome.DETECTED)} == {"stale_batch"}  # whatever the budget
    assert not blind.passed


def test_a_model_that_does_not_agree_itself_proves_nothing(everything):
    paths = everything / "everything.tflite", everything / "everything_int8.tflite"
    wrong = run_self_test(*paths, ("channel_zeroed",), min_sqnr_db=90.0)
    assert not wrong.clean_passes
    assert self_test_exit_code(wrong) == ExitCode.PARITY_FAILED


def test_other_than_two_models_are_refused(everything):
    with pytest.raises(InputError, match="a self-test takes two models"):
        run_self_test(everything / "everything.onnx", everything)


def test_the_command_prints_the_count_and_exits_with_0(everything):
    path = everything / "everything.onnx"
    command = [sys.executable, "-m", "verify", str(path), str(path), "--self-test", "--max-samples", "8", "--quiet"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == ExitCode.PASS, done.stderr
    assert done.stdout.startswith("detected ")
    assert "Harmless" in done.stdout
    assert "Not applicable:\n" in done.stdout


def test_json_holds_every_fault(everything):
    command = [sys.executable, "-m", "verify", "--self-test", "--json", "--quiet", "--max-samples", "8"]
    command += [str(everything / "everything.tflite"), str(everything / "everything_int8.tflite")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == ExitCode.PARITY_FAILED, done.stderr
    results = json.loads(done.stdout)["results"]
    assert {result["outcome"] for result in results} == {outcome.value for outcome in Outcome}


def test_a_worker_that_died_is_replaced_for_the_next_copy():
    with open_workers(Limits()) as (workers, _):
        first = workers.of(Format.TFLITE)
        first.kill()
        assert workers.of(Format.TFLITE) is not first
        assert workers.of(Format.TFLITE).run(fault_kinds).value == fault_kinds()


def test_an_onnx_copy_is_judged_by_the_floor_of_its_own_graph_as_verify_does(tf_models, tmp_path, monkeypatch):
    """The trusted model is no graph that float64 can run, so the floor comes from the copy."""
    seen = []
    monkeypatch.setattr(
        trial, "floors_of", lambda chain: seen.append(chain.models[-1].member.artifact.path) or ((), ())
    )
    onnx_net = write_onnx_net(tmp_path / "net.onnx")
    layouts = tuple(Layout(name, "NHWC") for name in ("image", "features"))
    run_self_test(tf_models / "net_float32.tflite", onnx_net, ("channel_zeroed", "weight_sign"), layouts=layouts)
    assert len(seen) == 2
    assert onnx_net not in seen
