"""Runs judged by a lock: worse fails, better is offered, exceptions end, and what vanished does not pass."""

from __future__ import annotations

import dataclasses
from datetime import date

import pytest
from report_samples import comparison, float_edge, quantized_edge
from verification_samples import passing, with_edges

from verify.baseline.apply import with_lock
from verify.baseline.lock import Accepted, Lock, LockedOutput
from verify.baseline.lock_file import read_lock, write_lock
from verify.chain.headline import headline
from verify.report.types import TaskComparison, Verdict
from verify.report.verification import Standing

SAMPLES = "32 photo crops from photos/"
BELOW = comparison(
    12.5, floor=None, verdict=Verdict.FAIL, failure="below budget", explanation="Below budget: 12.5 dB SQNR."
)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Without edges; dated 14 March 2026."""
    return with_edges(passing(tmp_path_factory.mktemp("base")))


def _float(base, rms: float, *, floor_rms: float = 1e-6, largest: float | None = None):
    measured = dataclasses.replace(
        comparison(113.7), rms_error=rms, noise_floor_multiple=rms / floor_rms, max_abs_error=largest or rms * 4
    )
    return with_edges(base, float_edge("a.onnx", "b.tflite", measured))


def _quantized(base, sqnr_db: float):
    return with_edges(base, quantized_edge("a.onnx", "b.tflite", comparison(sqnr_db, floor=None)))


def _failing(base, output=BELOW):
    edge = quantized_edge("a.onnx", "b.tflite", output, verdict=Verdict.FAIL)
    return dataclasses.replace(with_edges(base, edge), verdict=Verdict.FAIL)


def _lock(tmp_path, *outputs: LockedOutput, accepted: tuple[Accepted, ...] = ()):
    path = tmp_path / "parity.lock.json"
    write_lock(Lock("1", SAMPLES, outputs, accepted), path)
    return path


def _recorded(tmp_path, verification):
    path = tmp_path / "parity.lock.json"
    assert with_lock(verification, path, update=False).verdict is Verdict.PASS
    return path


def _exception(**changes) -> Accepted:
    terms = {"actual": "b.tflite", "failure": "below budget", "reason": "too few photos", "owner": "ada"}
    return Accepted(**{**terms, "expires": date(2026, 12, 31), **changes})


def test_the_first_run_records_and_says_so(base, tmp_path):
    told = with_lock(_float(base, 3e-6), tmp_path / "parity.lock.json", update=False)
    assert told.baseline.recorded
    assert "Recorded 1 output in parity.lock.json: commit it." in told.notes
    lock = read_lock(tmp_path / "parity.lock.json")
    assert lock.samples == SAMPLES
    assert lock.outputs[0].rms_error == 3e-6


def test_the_same_drift_passes(base, tmp_path):
    path = _recorded(tmp_path, _float(base, 3e-6))
    again = with_lock(_float(base, 3e-6), path, update=False)
    assert (again.verdict, again.baseline.drifts[0].standing) == (Verdict.PASS, Standing.SAME)
    assert again.headline == base.headline


@pytest.mark.parametrize(("rms", "verdict"), [(3.99e-6, Verdict.PASS), (4.01e-6, Verdict.FAIL)])
def test_a_float_edge_may_drift_by_one_noise_floor_and_no_more(base, tmp_path, rms, verdict):
    path = _recorded(tmp_path, _float(base, 3e-6))
    later = with_lock(_float(base, rms), path, update=False)
    assert later.verdict is verdict
    if verdict is Verdict.FAIL:
        output = later.edges[0].outputs[0]
        assert output.failure == "worse than recorded"
        assert (
            "RMS error 4.0e-6, recorded 3.0e-6: more than the slack of 1.0e-6 (one noise floor)" in output.explanation
        )
        assert later.headline.startswith("b.tflite does not agree with a.onnx: output logits, worse than")
        assert any("--update-lock" in step for step in later.next_steps)


@pytest.mark.parametrize(("sqnr_db", "verdict"), [(29.6, Verdict.PASS), (28.7, Verdict.PASS), (28.5, Verdict.FAIL)])
def test_a_quantized_edge_may_lose_one_decibel(base, tmp_path, sqnr_db, verdict):
    path = _recorded(tmp_path, _quantized(base, 29.6))
    assert with_lock(_quantized(base, sqnr_db), path, update=False).verdict is verdict


def test_one_wild_value_that_the_rms_hides_is_worse(base, tmp_path):
    path = _recorded(tmp_path, _float(base, 3e-6, largest=1e-5))
    assert with_lock(_float(base, 3e-6, largest=1.9e-5), path, update=False).verdict is Verdict.PASS
    later = with_lock(_float(base, 3e-6, largest=5e-5), path, update=False)
    assert "largest error 5.0e-5, recorded 1.0e-5" in later.edges[0].outputs[0].explanation
    assert later.verdict is Verdict.FAIL


def test_a_drift_that_is_not_a_number_is_worse(base, tmp_path):
    path = _recorded(tmp_path, _quantized(base, 29.6))
    edge = _quantized(base, 29.6).edges[0]
    strange = dataclasses.replace(edge.outputs[0], rms_error=float("nan"))
    later = with_edges(base, dataclasses.replace(edge, outputs=(strange,)))
    assert with_lock(later, path, update=False).verdict is Verdict.FAIL


def test_what_was_identical_and_no_longer_is_may_drift_by_a_floor_only(base, tmp_path):
    exact = with_edges(base, float_edge("a.onnx", "b.tflite", comparison(None, floor=0.0, identical=True)))
    path = _recorded(tmp_path, exact)
    assert with_lock(exact, path, update=False).verdict is Verdict.PASS
    assert with_lock(_float(base, 0.9e-6, largest=0.9e-6), path, update=False).verdict is Verdict.PASS
    assert with_lock(_float(base, 1.1e-6), path, update=False).verdict is Verdict.FAIL


def test_better_passes_and_is_offered_and_an_update_records_it(base, tmp_path):
    path = _recorded(tmp_path, _quantized(base, 29.6))
    better = with_lock(_quantized(base, 33.0), path, update=False)
    assert better.verdict is Verdict.PASS
    assert "1 output drifted less than parity.lock.json records: record that with --update-lock." in better.next_steps
    assert read_lock(path).outputs[0].sqnr_db == 29.6
    with_lock(_quantized(base, 33.0), path, update=True)
    assert read_lock(path).outputs[0].sqnr_db == 33.0
    assert with_lock(_quantized(base, 29.6), path, update=False).verdict is Verdict.FAIL


def test_a_failure_is_never_recorded_and_it_is_said_how_to_accept_it(base, tmp_path):
    path = tmp_path / "parity.lock.json"
    told = with_lock(_failing(base), path, update=False)
    assert told.verdict is Verdict.FAIL
    assert read_lock(path).outputs == ()
    offer = next(step for step in told.next_steps if step.startswith("To accept it"))
    assert '"actual": "b.tflite", "output": "logits", "failure": "below budget"' in offer


def test_an_exception_lets_its_failure_pass_and_is_told(base, tmp_path):
    path = _lock(tmp_path, accepted=(_exception(),))
    told = with_lock(_failing(base), path, update=False)
    assert told.verdict is Verdict.PASS
    assert told.edges[0].outputs[0].failure is None
    assert "Accepted until 2026-12-31 by ada: too few photos." in told.edges[0].outputs[0].explanation
    assert told.headline.endswith("but for 1 accepted exception.")
    assert told.baseline.drifts[0].standing is Standing.ACCEPTED


@pytest.mark.parametrize(("expires", "verdict"), [(date(2026, 3, 14), Verdict.PASS), (date(2026, 3, 13), Verdict.FAIL)])
def test_an_exception_holds_to_the_end_of_its_last_day(base, tmp_path, expires, verdict):
    path = _lock(tmp_path, accepted=(_exception(expires=expires),))
    told = with_lock(_failing(base), path, update=False)
    assert told.verdict is verdict
    if verdict is Verdict.FAIL:
        assert (
            "The exception that ada was granted in parity.lock.json expired on 2026-03-13 (too few photos): mend the "
            "model, or renew it there." in told.edges[0].outputs[0].explanation
        )
        assert "output logits, the exception that ada was granted in parity.lock.json expired" in told.headline


def test_recording_again_does_not_renew_an_expired_exception(base, tmp_path):
    path = _lock(tmp_path, accepted=(_exception(expires=date(2026, 3, 13)),))
    assert with_lock(_failing(base), path, update=True).verdict is Verdict.FAIL
    assert read_lock(path).accepted[0].expires == date(2026, 3, 13)


@pytest.mark.parametrize(
    "changes", [{"failure": "one-sided NaN"}, {"output": "boxes"}, {"actual": "c.tflite"}, {"expected": "c.onnx"}]
)
def test_an_exception_covers_nothing_else(base, tmp_path, changes):
    path = _lock(tmp_path, accepted=(_exception(**changes),))
    told = with_lock(_failing(base), path, update=False)
    assert told.verdict is Verdict.FAIL
    assert any("is no longer needed" in note for note in told.notes)


def test_an_exception_may_name_how_far_it_goes(base, tmp_path):
    generous = _lock(tmp_path, accepted=(_exception(min_sqnr_db=12),))
    assert with_lock(_failing(base), generous, update=False).verdict is Verdict.PASS
    path = _lock(tmp_path, accepted=(_exception(min_sqnr_db=13),))
    told = with_lock(_failing(base), path, update=False)
    assert told.verdict is Verdict.FAIL
    assert "accepts it down to 13.0 dB only (ada)" in told.edges[0].outputs[0].explanation


def test_an_accepted_failure_that_grows_still_fails(base, tmp_path):
    record = LockedOutput("a.onnx", "b.tflite", "logits", BELOW.rms_error / 2)
    path = _lock(tmp_path, record, accepted=(_exception(),))
    told = with_lock(_failing(base), path, update=False)
    assert told.edges[0].outputs[0].failure == "worse than recorded"
    assert told.verdict is Verdict.FAIL


def test_what_is_recorded_and_no_longer_compared_fails(base, tmp_path):
    path = _recorded(tmp_path, _quantized(base, 29.6))
    gone = with_lock(with_edges(base), path, update=False)
    assert gone.verdict is Verdict.FAIL
    assert gone.edges[0].outputs[0].failure == "recorded, not compared"
    other = dataclasses.replace(comparison(29.6, floor=None), name="boxes")
    renamed = with_lock(with_edges(base, quantized_edge("a.onnx", "b.tflite", other)), path, update=False)
    assert renamed.verdict is Verdict.FAIL
    assert [drift.standing for drift in renamed.baseline.drifts] == [Standing.NEW, Standing.VANISHED]


def test_other_samples_decide_nothing(base, tmp_path):
    path = _recorded(tmp_path, _quantized(base, 29.6))
    other = dataclasses.replace(_quantized(base, 29.6), samples="2 photo crops from elsewhere/")
    told = with_lock(other, path, update=False)
    assert told.verdict is Verdict.INCONCLUSIVE
    assert "was recorded on 32 photo crops from photos/, and this run was judged on 2" in str(told.edges[0].outputs[0])


def test_a_verdict_that_no_edge_accounts_for_is_kept(base, tmp_path):
    path = _recorded(tmp_path, _quantized(base, 29.6))
    failed = dataclasses.replace(_quantized(base, 29.6), verdict=Verdict.FAIL)
    assert with_lock(failed, path, update=False).verdict is Verdict.FAIL


def test_a_failure_without_an_exception_shows_its_drift_too(base, tmp_path):
    path = _lock(tmp_path, LockedOutput("a.onnx", "b.tflite", "logits", BELOW.rms_error / 2))
    told = with_lock(_failing(base), path, update=False)
    assert told.baseline.drifts[0].standing is Standing.WORSE
    assert told.edges[0].outputs[0].failure == "below budget"


def test_a_headline_is_one_sentence_and_names_the_task_where_that_decided(base):
    long = dataclasses.replace(BELOW, explanation="Below budget: 12.5 dB SQNR. 97.9 % are within one step. And so on.")
    edge = quantized_edge("a.onnx", "b.tflite", long, verdict=Verdict.FAIL)
    told = headline(base.models, (edge,))
    where = "b.tflite does not agree with a.onnx: output logits"
    assert told == f"{where}, below budget (12.5 dB, SQNR at least 20 dB asked for)."
    task = TaskComparison("top-1", 64, 0.9, 0.7, 0.2, 0.1, 0.3, 0.05, Verdict.FAIL, "Top-1 drops by 0.2. More.")
    worse = quantized_edge("a.onnx", "b.tflite", comparison(30, floor=None), verdict=Verdict.FAIL)
    told = headline(base.models, (dataclasses.replace(worse, task=task),))
    assert told == "b.tflite does not agree with a.onnx: top-1 drops by 20.0 points, 5 points are allowed."
