"""A search in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from quantize.budget.goal import Measured, Requirement, Score, Standing, requirements
from quantize.budget.report import BudgetReport
from quantize.result import FloatOp
from verify.errors import ExitCode

LIFTED = "lifted within the budget"
"""Why an op computes in float that a search lifted there: nobody asked for it by name."""

_MOST_NAMED = 12


def sentences(report: BudgetReport) -> tuple[str, ...]:
    """For the notes of a result: whether it is met and on what, which ops were lifted and why."""
    limits = requirements(report.budget)
    chosen = report.chosen
    lines = [
        f"budget {report.standing}: {'; '.join(_limit(limit, report, chosen.score) for limit in limits)}",
        f"judged on {report.samples} samples {report.samples_from}, which also chose the ops: expect a little less on "
        "others",
    ]
    if report.standing is Standing.UNCERTAIN:
        lines.append(_why_uncertain(report, limits))
    if report.lifted:
        lines.append(
            f"{len(report.lifted)} ops compute in float, {chosen.int8_macs:.1%} of the multiplications in int8; with "
            f"all ops in int8: {'; '.join(_value(limit, report, report.untouched.score) for limit in limits)}"
        )
        lines += _named(report)
    return tuple(lines)


def with_lifted(float_ops: Iterable[FloatOp], report: BudgetReport) -> tuple[FloatOp, ...]:
    """The ops that compute in float, those that the search lifted apart from the others of their type."""
    lifted = {each.output for each in report.lifted}
    found = []
    for each in float_ops:
        ours = tuple(name for name in each.tensors if name in lifted)
        others = tuple(name for name in each.tensors if name not in lifted)
        if others or not ours:
            found.append(replace(each, count=each.count - len(ours), tensors=others))
        if ours:
            found.append(FloatOp(each.op, len(ours), LIFTED, tensors=ours))
    return tuple(found)


def _named(report: BudgetReport) -> list[str]:
    """Ops lifted because of their noise one by one, the others counted by type."""
    noisy = [each for each in report.lifted if each.for_accuracy]
    lines = [f"lifted to float: {each.op} {each.module or each.output}: {each.why}" for each in noisy[:_MOST_NAMED]]
    if len(noisy) > _MOST_NAMED:
        lines.append(f"and {len(noisy) - _MOST_NAMED} more (see the budget's JSON)")
    others = Counter((each.op, each.why) for each in report.lifted if not each.for_accuracy)
    return lines + [f"lifted to float: {count} × {op}: {why}" for (op, why), count in sorted(others.items())]


def exit_code(report: BudgetReport | None) -> ExitCode:
    """How a command ends that wrote such a file."""
    if report is None or report.standing is Standing.MET:
        return ExitCode.PASS
    return ExitCode.PARITY_FAILED if report.standing is Standing.MISSED else ExitCode.INCONCLUSIVE


def how_close(report: BudgetReport) -> str:
    """For the error of a budget that was missed."""
    limits = requirements(report.budget)
    chosen = report.chosen
    missed = [limit for limit in limits if not limit.slack(chosen.score) >= 0]
    listed = "; ".join(_limit(limit, report, chosen.score) for limit in missed)
    return (
        f"no int8 file keeps the budget with {report.budget.least_int8_macs:.0%} of the multiplications in int8. The "
        f"closest of {len(report.points)} that were tried has {listed} (on {report.samples} samples), with "
        f"{chosen.lifted} ops in float and {chosen.int8_macs:.1%} of the multiplications in int8"
    )


def remedy(report: BudgetReport) -> str:
    """What may help one that was missed."""
    wanted = report.budget.min_sqnr_db
    if wanted is not None and report.edges_db is not None and report.edges_db < wanted:
        return (
            f"int8 inputs and outputs alone give {report.edges_db:.1f} dB: take --int8-io float32, or a lower "
            "--min-sqnr-db"
        )
    return (
        "let more ops be lifted with --min-int8-macs 50%, take a looser budget, give more varied --calib samples, or "
        "write the closest all the same with --even-if-missed"
    )


def _why_uncertain(report: BudgetReport, limits: tuple[Requirement, ...]) -> str:
    if report.samples_needed is not None:
        return (
            f"inconclusive: with {report.samples} samples not even the float file itself would be surely inside; it "
            f"takes about {report.samples_needed}"
        )
    unsure = [limit for limit in limits if limit.sure_slack(report.chosen.score) < 0]
    names = " and ".join(_NAMES[limit.quantity].format(metric=report.metric) for limit in unsure)
    return f"inconclusive: the 95 % confidence interval of the {names} reaches outside; more samples would tell"


_NAMES = {"drop": "drop in {metric}", "sqnr_db": "SQNR", "agreement": "top-1 agreement"}


def _limit(limit: Requirement, report: BudgetReport, score: Score) -> str:
    at_most = "at most" if limit.sign < 0 else "at least"
    return f"{_value(limit, report, score)}, {at_most} {_number(limit.quantity, limit.limit)} asked for"


def _value(limit: Requirement, report: BudgetReport, score: Score) -> str:
    found: Measured = limit.of(score)
    interval = f"{_number(limit.quantity, found.low)} … {_number(limit.quantity, found.high)}"
    name = _NAMES[limit.quantity].format(metric=report.metric)
    return f"{name} {_number(limit.quantity, found.value)} ({interval})"


def _number(quantity: str, value: float) -> str:
    return f"{value:.1f} dB" if quantity == "sqnr_db" else f"{value:.2%}"
