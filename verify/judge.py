"""One output, fully read, against its budget: a verdict and one sentence with the numbers that decided."""

from __future__ import annotations

from verify.metrics import ErrorSums
from verify.report.types import OutputComparison, Verdict
from verify.rounding.bound import worst_error
from verify.tallies.integers import IntegerTally
from verify.tally import Tally
from verify.tolerance import Budget, FloatBudget, OutputFloor, QuantizedBudget

CONSTANT = "constant output"
DIFFERENT_INTEGERS = "different integers"
NEAR_TIES = "near ties"
NOT_FOLLOWING = "does not follow the samples"


def judge_output(name: str, tally: Tally, budget: Budget, sample_count: int) -> OutputComparison:
    """The comparison of one output; every number in it is measured, or ``None``."""
    if tally.failure is None:
        _fail_what_proves_nothing(tally, sample_count)
    floor = budget.floor(name) if isinstance(budget, FloatBudget) else None
    comparable = tally.sums.count > 0 and tally.failure in {None, CONSTANT}
    verdict, failure, explanation = _verdict(tally, budget, floor)
    return OutputComparison(
        name=name,
        verdict=verdict,
        failure=failure,
        explanation=explanation,
        compared_values=tally.sums.count,
        identical=tally.identical and tally.sums.count > 0,
        sqnr_db=tally.sums.sqnr_db if comparable else None,
        max_abs_error=tally.sums.max_abs_error if comparable else None,
        rms_error=tally.sums.rms_error if comparable else None,
        tolerance_rms=_tolerance_rms(tally.sums, budget, floor) if comparable else None,
        noise_floor_multiple=tally.sums.rms_error / floor.rms if comparable and floor and floor.rms else None,
        expected_nonfinite=tally.expected_nonfinite.report,
        actual_nonfinite=tally.actual_nonfinite.report,
        quantized=tally.grid.report if comparable and tally.grid else None,
        worst_sample=tally.worst_sample,
    )


def score_tolerance(budget: Budget, name: str, tally: Tally) -> float:
    """How far a score of a classifier may be off; 0 where that is not known.

    In a float edge what the budget allows, in a quantized one a step of the output or its RMS error, whichever is more.
    """
    if isinstance(budget, QuantizedBudget):
        step = tally.grid.grid.scale if tally.grid else 0.0
        return max(step, tally.sums.rms_error)
    floor = budget.floor(name)
    return budget.margin * floor.max_abs if floor else 0.0


def _fail_what_proves_nothing(tally: Tally, sample_count: int) -> None:
    if tally.sums.count == 0:
        tally.fail("nothing compared", "it is -Inf everywhere" if tally.masked else "the output has no values")
    for side, variation in (("expected", tally.expected), ("given", tally.actual)):
        constancy = variation.constancy(sample_count)
        if tally.failure is None and constancy is not None:
            tally.failure, tally.detail = CONSTANT, f"as {side}, {constancy}"


def _verdict(tally: Tally, budget: Budget, floor: OutputFloor | None) -> tuple[Verdict, str | None, str]:
    if tally.failure == CONSTANT and not tally.floating and tally.identical:
        # An index or a count may well be the same for every sample; agreement then proves little, but is no fault.
        return Verdict.INCONCLUSIVE, CONSTANT, _sentence(f"{CONSTANT}: {tally.detail}; both models agree on it")
    if tally.failure is not None:
        return Verdict.FAIL, tally.failure, _sentence(f"{tally.failure}: {tally.detail}{_ledger(tally)}")
    if not tally.floating:
        return judge_integers(tally.integers, tally.sums.count, budget)
    verdict, failure, explanation = _judge_numbers(tally, budget, floor)
    if tally.masked:
        explanation += f" {tally.masked} more values are -Inf in both models, in the same places."
    return verdict, failure, explanation


def _ledger(tally: Tally) -> str:
    ledgers = (("expected", tally.expected_nonfinite), ("given", tally.actual_nonfinite))
    found = [f"{side} {ledger.phrase}" for side, ledger in ledgers]
    return f" ({'; '.join(found)})" if any(ledger.first for _, ledger in ledgers) else ""


def _judge_numbers(tally: Tally, budget: Budget, floor: OutputFloor | None) -> tuple[Verdict, str | None, str]:
    if isinstance(budget, QuantizedBudget):
        verdict, failure, explanation = _judge_quantized(tally.sums, budget)
        step = tally.grid.grid.scale if tally.grid else 0.0
        astray = tally.following.failure(step) if verdict is Verdict.PASS else None
        if astray is not None:
            verdict, failure = Verdict.FAIL, NOT_FOLLOWING
            explanation = f"{_sentence(f'{NOT_FOLLOWING}: {astray}')} {explanation}"
        report = tally.grid.report if tally.grid else None
        return verdict, failure, f"{explanation} {report.explanation}" if report else explanation
    if floor is None:
        return Verdict.INCONCLUSIVE, "no noise floor", "No noise floor was measured for this output."
    return _judge_float(tally.sums, budget, floor, identical=tally.identical)


def judge_integers(integers: IntegerTally, count: int, budget: Budget) -> tuple[Verdict, str | None, str]:
    """Exact in a float edge. Labels that follow scores of the same model are left to the judgement of those scores."""
    if not integers.differing:
        return Verdict.PASS, None, f"All {count} integers are equal."
    differing = f"{integers.differing} of {count} integers differ, the first at {integers.first}"
    equal = 1 - integers.differing / count
    if isinstance(budget, QuantizedBudget):
        needed = f"{equal:.1%} are equal, the budget is at least {budget.min_equal_integers:.0%}"
        if equal >= budget.min_equal_integers:
            return Verdict.PASS, None, _sentence(f"{differing}; {needed}")
        return Verdict.FAIL, DIFFERENT_INTEGERS, _sentence(f"{DIFFERENT_INTEGERS}: {differing}; {needed}")
    if integers.explained == integers.differing:
        why = f"each is the arg max of its own model's {integers.scores}, which are judged themselves: near ties"
        return Verdict.INCONCLUSIVE, NEAR_TIES, _sentence(f"{NEAR_TIES}: {differing}; {why} if those pass")
    why = (
        f"{integers.explained} follow from {integers.scores}, the others from nothing"
        if integers.explained
        else "no output gives their scores, so that none can be told to be a near tie"
    )
    return Verdict.FAIL, DIFFERENT_INTEGERS, _sentence(f"{DIFFERENT_INTEGERS}: {differing}; {why}")


def _judge_quantized(sums: ErrorSums, budget: QuantizedBudget) -> tuple[Verdict, str | None, str]:
    if sums.error_energy == 0:
        return Verdict.PASS, None, f"All {sums.count} values are equal."
    decibels = sums.sqnr_db
    measured = "no signal at all" if decibels is None else f"{decibels:.1f} dB SQNR"
    numbers = f"over {sums.count} values, largest error {sums.max_abs_error:.3g}"
    if decibels is not None and decibels >= budget.min_sqnr_db:
        return Verdict.PASS, None, _sentence(f"{measured} {numbers}; the budget is {budget.phrase}")
    return Verdict.FAIL, "below budget", _sentence(f"below budget: {measured} {numbers}; the budget is {budget.phrase}")


def _judge_float(
    sums: ErrorSums, budget: FloatBudget, floor: OutputFloor, *, identical: bool
) -> tuple[Verdict, str | None, str]:
    if identical:
        return Verdict.PASS, None, f"All {sums.count} values are bit-identical."
    rms_within = sums.rms_error <= budget.margin * floor.rms
    max_within = sums.max_abs_error <= budget.margin * floor.max_abs
    decibels = "" if sums.sqnr_db is None else f", {sums.sqnr_db:.1f} dB SQNR"
    numbers = (
        f"RMS error {sums.rms_error:.2e} is {_multiple(sums.rms_error, floor.rms)} the noise floor, largest error "
        f"{sums.max_abs_error:.2e} is {_multiple(sums.max_abs_error, floor.max_abs)} its floor "
        f"(at most {budget.margin:g} ×){decibels} over {sums.count} values"
    )
    if rms_within and max_within:
        return Verdict.PASS, None, _sentence(numbers)
    return Verdict.FAIL, "over tolerance", _sentence(f"over tolerance: {numbers}{_beyond_rounding(sums, floor)}")


def _beyond_rounding(sums: ErrorSums, floor: OutputFloor) -> str:
    """What the hard bound says of an error that is over tolerance."""
    if floor.roundings is None or not sums.rms_expected:
        return ""
    bound = worst_error(floor.roundings)
    if sums.rms_error > bound * sums.rms_expected:
        return (
            f"; {floor.roundings} roundings make {bound:.1e} of the output at most: no order of additions explains it"
        )
    return ""


def _tolerance_rms(sums: ErrorSums, budget: Budget, floor: OutputFloor | None) -> float | None:
    if isinstance(budget, QuantizedBudget):
        return float(sums.rms_expected * 10 ** (-budget.min_sqnr_db / 20))
    return None if floor is None else budget.margin * floor.rms


def _multiple(error: float, floor: float) -> str:
    return f"{error / floor:.2g} ×" if floor else "beyond"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
