"""What an outcome means, given what was expected, and what all of them come to."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from summary_samples import (
    TODAY,
    accepted,
    drifting,
    failed,
    model,
    ok_result,
    over_budget,
    report,
    small,
    thirty,
    thousand,
    undecided,
)

from convert.zoo.job import Target
from convert.zoo.result import Outcome
from convert.zoo.summary.standing import exit_code, headline, judge
from convert.zoo.summary.types import Standing
from verify.errors import ExitCode

_INT8_BUDGET = accepted(Outcome.BUDGET, target=Target.INT8)


def _ok():
    return ok_result("resnet18", random.Random(0))


def _judged(result, *expect, today=TODAY):
    return judge(model("resnet18", expect=expect), result, today)


def _rows(*outcomes):
    """A row each that nobody expected, with an ok one among them."""
    results = [_ok(), *(failed(_ok(), it) for it in outcomes)]
    return [_judged(result) for result in results]


def test_what_is_right_passes_and_says_what_its_report_says():
    row = _judged(_ok())
    assert row.standing is Standing.PASS
    assert row.why.startswith("Yes: all files are right")


def test_a_failure_that_nobody_expected_fails_with_the_number_that_decided():
    row = _judged(over_budget(_ok(), 11.4))
    assert (row.standing, row.why) == (Standing.FAIL, "int8: SQNR 11.4 dB is below its budget of 20 dB")


def test_an_expected_failure_of_the_target_is_known_until_the_end_of_its_day():
    last_day = _INT8_BUDGET.expires
    row = _judged(over_budget(_ok()), _INT8_BUDGET, today=last_day)
    assert row.standing is Standing.KNOWN
    assert "known, see #123" in row.why
    assert str(last_day) in row.why
    after = _judged(over_budget(_ok()), _INT8_BUDGET, today=last_day + timedelta(days=1))
    assert after.standing is Standing.EXPIRED
    assert "11.4 dB" in after.why


@pytest.mark.parametrize(
    "expectation",
    [
        accepted(Outcome.PARITY, target=Target.INT8),
        accepted(Outcome.BUDGET, target=Target.FLOAT16),
        accepted(Outcome.TIMEOUT),
    ],
)
def test_an_expectation_of_something_else_accepts_nothing(expectation):
    assert _judged(over_budget(_ok()), expectation).standing is Standing.FAIL


def test_an_expectation_of_the_whole_job_accepts_that_outcome_of_any_target():
    assert _judged(over_budget(_ok()), accepted(Outcome.BUDGET)).standing is Standing.KNOWN


def test_two_failing_targets_need_both_to_be_expected():
    both = drifting(over_budget(_ok()))
    one = _judged(both, _INT8_BUDGET)
    assert one.standing is Standing.FAIL
    assert one.why.startswith("float16:")
    assert "int8" not in one.why
    float16 = accepted(Outcome.PARITY, target=Target.FLOAT16)
    assert _judged(both, _INT8_BUDGET, float16).standing is Standing.KNOWN


@pytest.mark.parametrize("expectation", [_INT8_BUDGET, accepted(Outcome.TIMEOUT)])
def test_what_passes_against_an_expectation_is_as_unexpected_as_a_failure(expectation):
    row = _judged(_ok(), expectation)
    assert row.standing is Standing.UNEXPECTED_PASS
    assert expectation.reason in row.why
    assert exit_code([row]) is ExitCode.PARITY_FAILED


def test_a_pass_against_an_expired_expectation_is_a_pass():
    assert _judged(_ok(), accepted(Outcome.TIMEOUT, days=-1)).standing is Standing.PASS


def test_one_of_two_possible_failures_is_no_unexpected_pass():
    flaky = (accepted(Outcome.TIMEOUT), accepted(Outcome.OOM))
    assert _judged(failed(_ok(), Outcome.OOM), *flaky).standing is Standing.KNOWN


def test_a_target_that_was_not_made_passes_against_nothing():
    row = _judged(failed(_ok(), Outcome.CONVERSION), accepted(Outcome.CONVERSION), _INT8_BUDGET)
    assert row.standing is Standing.KNOWN


def test_a_target_passing_beside_a_known_failure_is_unexpected():
    parity = accepted(Outcome.PARITY, target=Target.FLOAT16)
    row = _judged(over_budget(_ok()), _INT8_BUDGET, parity)
    assert row.standing is Standing.UNEXPECTED_PASS
    assert row.why.startswith("float16 passes")


def test_a_job_without_a_result_did_not_run():
    row = _judged(None)
    assert row.standing is Standing.NOT_RUN
    assert exit_code([row]) is ExitCode.INFRASTRUCTURE


def test_the_exit_code_is_that_of_the_worst_unexpected_outcome():
    worst_first = (Outcome.OOM, Outcome.CONVERSION, Outcome.BAD_INPUT)
    assert exit_code(_rows(*reversed(worst_first))) is ExitCode.INFRASTRUCTURE
    assert exit_code(_rows(*worst_first[1:])) is ExitCode.CONVERSION_FAILED
    assert exit_code([*_rows(Outcome.BAD_INPUT), _judged(drifting(_ok()))]) is ExitCode.BAD_INPUT
    unclear = _judged(undecided(_ok()))
    assert exit_code([_judged(drifting(_ok())), unclear]) is ExitCode.PARITY_FAILED
    assert exit_code([unclear]) is ExitCode.INCONCLUSIVE
    assert exit_code(_rows()) is ExitCode.PASS


def test_a_known_failure_beside_an_unexpected_one_leaves_the_exit_code_alone():
    """Int8 misses its budget as expected (1); that float16 cannot be judged (5) is what nobody expected."""
    both = over_budget(_ok())
    assert both.conversion is not None
    unclear = undecided(_ok())
    assert _judged(unclear, accepted(Outcome.INCONCLUSIVE)).standing is Standing.KNOWN
    assert exit_code([_judged(both, _INT8_BUDGET), _judged(unclear)]) is ExitCode.INCONCLUSIVE


@pytest.mark.parametrize("outcome", [it for it in Outcome if it is not Outcome.OK])
def test_no_outcome_but_ok_passes(outcome):
    result = _ok()
    row = _judged(result.__class__(**{**vars(result), "outcome": outcome}))
    assert row.standing is Standing.FAIL
    assert row.why
    assert exit_code([row]) == outcome.exit_code


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "Nothing was converted: no model was selected."),
        (small().rows[:1], "Yes: 1 model passes."),
        (small().rows, "Yes: all 3 models pass."),
        (_rows(Outcome.OOM), "No: of 2 models, 1 fails (1 oom): resnet18."),
        ([_judged(undecided(_ok()))], "Cannot tell: of 1 model, 1 fails (1 inconclusive): resnet18."),
        (
            [_judged(_ok()), _judged(over_budget(_ok()), _INT8_BUDGET)],
            "Yes: of 2 models, 1 passes and 1 fails as expected.",
        ),
        (
            thousand().rows,
            "No: of 1,000 models, 58 fail (20 conversion, 17 budget, 8 oom, 6 timeout, 4 parity, 3 signal 11).",
        ),
    ],
)
def test_the_headline_answers_in_one_sentence(rows, said):
    assert headline(rows) == said


def test_every_standing_is_counted_in_the_headline():
    told = thirty().headline
    for part in ("10 fail (", "1 fails after the expectation expired", "1 passes against", "1 did not run"):
        assert part in told


def test_a_shard_says_that_it_is_one():
    assert report([model("a")], [_ok()], shard="2/8").headline == "Yes: 1 model (of shard 2/8) passes."
