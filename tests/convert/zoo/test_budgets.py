"""A report becomes outcomes: parity before budget before inconclusive, each with the number that decided."""

from __future__ import annotations

import dataclasses

import report_samples

from convert.zoo.budgets import findings, headline, target_results, worst
from convert.zoo.job import Budgets, Target
from convert.zoo.result import Outcome, TargetResult
from verify.report.types import Report, Verdict

NONE = Budgets()


def results(report: Report, budgets: Budgets = NONE) -> dict[str, TargetResult]:
    return {each.name: each for each in target_results(report, tuple(Target), findings(report, budgets))}


def overall(report: Report, budgets: Budgets = NONE) -> Outcome | None:
    deciding = worst(findings(report, budgets))
    return deciding.outcome if deciding is not None else None


def with_failing_float_edge(report: Report) -> Report:
    edges = tuple(
        dataclasses.replace(edge, verdict=Verdict.FAIL) if (edge.expected, edge.actual) == ("pytorch", "onnx") else edge
        for edge in report.edges
    )
    return dataclasses.replace(report, edges=edges, verdict=Verdict.FAIL)


def test_what_passes_is_ok_with_its_numbers_against_the_origin() -> None:
    found = results(report_samples.passing())
    assert {each.outcome for each in found.values()} == {Outcome.OK}
    assert (found["int8"].sqnr_db, found["int8"].top1_agreement) == (29.5, 0.984375)
    assert (found["int8"].float_ops, found["int8"].latency_ms) == (1, 12.4)
    assert overall(report_samples.passing()) is None


def test_a_quantized_file_below_its_sqnr_is_over_budget_and_says_how_far() -> None:
    report = report_samples.failing()
    found = results(report)
    assert overall(report) is Outcome.BUDGET
    assert (found["int8"].outcome, found["float32"].outcome) == (Outcome.BUDGET, Outcome.OK)
    assert found["int8"].why == (
        "efficientnet_b0_int8.tflite against pytorch, logits: "
        "SQNR 6.2 dB is under the budget of 20 dB: the error is 49 % of the signal"
    )


def test_a_drifting_float_file_is_parity_whatever_else_is_wrong() -> None:
    report = with_failing_float_edge(report_samples.failing())
    found = results(report)
    assert overall(report) is Outcome.PARITY
    assert (found["onnx"].outcome, found["int8"].outcome) == (Outcome.PARITY, Outcome.BUDGET)


def test_a_drifting_float_file_counts_even_where_only_int8_was_asked_for() -> None:
    report = with_failing_float_edge(report_samples.passing())
    (int8,) = target_results(report, (Target.INT8,), findings(report, NONE))
    assert (int8.outcome, overall(report)) == (Outcome.OK, Outcome.PARITY)


def test_too_few_samples_are_inconclusive() -> None:
    assert overall(report_samples.inconclusive()) is Outcome.INCONCLUSIVE
    assert "too few" in results(report_samples.inconclusive())["int8"].why


def test_a_file_that_is_too_large_is_over_budget() -> None:
    report, budgets = report_samples.passing(), Budgets(max_size_bytes={Target.INT8: 11_000_000})
    found = results(report, budgets)["int8"]
    assert overall(report, budgets) is Outcome.BUDGET
    assert found.why == "resnet18_int8.tflite has 11,799,552 bytes; at most 11,000,000 are allowed."
    assert headline(report, findings(report, budgets)) == f"Do not ship: {found.why}"


def test_too_little_top1_agreement_is_over_budget() -> None:
    report, budgets = report_samples.passing(), Budgets(min_top1_agreement={Target.INT8: 0.99})
    found = results(report, budgets)["int8"]
    assert found.outcome is Outcome.BUDGET
    assert found.why == "resnet18_int8.tflite agrees on 98.4% of top-1 classes; at least 99.0% are required."


def test_a_top1_budget_that_nothing_measures_is_inconclusive_not_met() -> None:
    report = report_samples.passing()
    edges = tuple(dataclasses.replace(edge, top1_agreement=None) for edge in report.edges)
    budgets = Budgets(min_top1_agreement={Target.INT8: 0.5})
    assert overall(dataclasses.replace(report, edges=edges), budgets) is Outcome.INCONCLUSIVE


def test_budgets_that_are_met_change_nothing() -> None:
    budgets = Budgets({Target.INT8: 11_799_552}, {Target.INT8: 0.984375})
    assert findings(report_samples.passing(), budgets) == ()
    assert headline(report_samples.passing(), ()) == report_samples.PASSING_HEADLINE
