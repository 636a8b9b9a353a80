"""What a job's outcome means, given what the manifest expected of it; and what all of them come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from convert.zoo.plan import Expectation, PlannedModel
from convert.zoo.result import JobResult, Outcome
from convert.zoo.summary.types import Standing, ZooRow
from verify.errors import ExitCode
from verify.report import words

_BADNESS = (
    ExitCode.INFRASTRUCTURE,
    ExitCode.CONVERSION_FAILED,
    ExitCode.BAD_INPUT,
    ExitCode.PARITY_FAILED,
    ExitCode.INCONCLUSIVE,
)
"""Worst first. A job that said nothing is worse than one that said no."""

_NAMED_MODELS = 3


@dataclass(frozen=True)
class Failure:
    """One thing that is wrong: with a target, or (``None``) with the whole job."""

    outcome: Outcome
    target: str | None
    why: str


def failures(result: JobResult) -> tuple[Failure, ...]:
    """Everything that is wrong with a result; the job's own outcome counts where no target explains it."""
    targets = result.conversion.targets if result.conversion else ()
    found = [Failure(it.outcome, it.name, it.why or it.outcome) for it in targets if it.outcome is not Outcome.OK]
    if result.outcome is not Outcome.OK and result.outcome not in {failure.outcome for failure in found}:
        found.append(Failure(result.outcome, None, _sentence(result)))
    return tuple(found)


def acceptance(failure: Failure, expect: Sequence[Expectation]) -> Expectation | None:
    """The expectation that accepts a failure, of several the one that lasts longest; expired ones too."""
    matching = [
        it for it in expect if it.outcome is failure.outcome and (it.target is None or it.target == failure.target)
    ]
    return max(matching, key=lambda it: it.expires, default=None)


def in_force(expectation: Expectation, today: date) -> bool:
    """Whether it still counts: until the end of the day it names."""
    return today <= expectation.expires


def broken_promise(result: JobResult, expect: Sequence[Expectation], today: date) -> Expectation | None:
    """An expectation in force that something passes against."""
    return next((it for it in expect if in_force(it, today) and _passes(it, result)), None)


def judge(model: PlannedModel, result: JobResult | None, today: date, *, folder: str = "", log: str = "") -> ZooRow:
    """The row of one model; ``folder`` and ``log`` are relative to the summary.

    A failure is accepted when an expectation names its outcome (and its target, if the expectation names one); a row
    is a known failure when all of its failures are accepted by expectations that have not expired.
    """
    standing, why = _standing(result, model.expect, today)
    return ZooRow(
        id=model.id,
        standing=standing,
        why=why,
        result=result,
        folder=folder,
        log=log,
        tags=model.tags,
        tier=model.tier,
        license=model.license,
        expect=model.expect,
    )


def headline(rows: Sequence[ZooRow], shard: str = "") -> str:
    """One sentence: can the zoo ship, and if not, what is wrong. ``shard`` is said where only that part ran."""
    scope = f" (of shard {shard})" if shard else ""
    if not rows:
        return f"Nothing was converted: no model was selected{scope}."
    bad = [row for row in rows if not row.standing.acceptable]
    total = words.count(len(rows), "model") + scope
    if not bad:
        known = sum(row.standing is Standing.KNOWN for row in rows)
        if known:
            right = len(rows) - known
            passing = f"{right:,} {'passes' if right == 1 else 'pass'}"
            return f"Yes: of {total}, {passing} and {known:,} {'fails' if known == 1 else 'fail'} as expected."
        return f"Yes: {'all ' if len(rows) > 1 else ''}{total} {'pass' if len(rows) > 1 else 'passes'}."
    answer = "Cannot tell" if exit_code(rows) is ExitCode.INCONCLUSIVE else "No"
    names = f": {words.joined(tuple(row.id for row in bad))}" if len(bad) <= _NAMED_MODELS else ""
    return f"{answer}: of {total}, {words.joined(_complaints(bad))}{names}."


def exit_code(rows: Sequence[ZooRow]) -> ExitCode:
    """From the worst thing that nobody expected; ``PASS`` where there is none."""
    codes = {code for row in rows if not row.standing.acceptable for code in _exit_codes(row)}
    return next((code for code in _BADNESS if code in codes), ExitCode.PASS)


def label(row: ZooRow) -> str:
    """How the job ended, as a filter or a table names it: ``ok``, ``oom``, ``signal 11``, ``not run``."""
    return row.result.label if row.result else str(Standing.NOT_RUN)


def _standing(result: JobResult | None, expect: Sequence[Expectation], today: date) -> tuple[Standing, str]:
    if result is None:
        return Standing.NOT_RUN, "The run ended before it."
    wrong = failures(result)
    accepted = [acceptance(failure, expect) for failure in wrong]
    unaccepted = [failure for failure, by in zip(wrong, accepted, strict=True) if by is None]
    if unaccepted:
        return Standing.FAIL, _joined(unaccepted)
    reasons = dict.fromkeys(by for by in accepted if by is not None)
    expired = [by for by in reasons if not in_force(by, today)]
    if expired:
        return Standing.EXPIRED, f"Accepted until {expired[0].expires} ({expired[0].reason}): {_joined(wrong)}"
    passing = broken_promise(result, expect, today)
    if passing is not None:
        what = passing.target or "It"
        return Standing.UNEXPECTED_PASS, f"{what} passes, but {passing.outcome} was expected: {passing.reason}"
    if reasons:
        until = "; ".join(f"{by.reason} (until {by.expires})" for by in reasons)
        return Standing.KNOWN, f"{until}: {_joined(wrong)}"
    return Standing.PASS, result.conversion.headline if result.conversion else ""


def _passes(expectation: Expectation, result: JobResult) -> bool:
    """Whether what the expectation speaks of is right; what was not made is neither right nor wrong."""
    if expectation.target is None:
        return not failures(result)
    targets = result.conversion.targets if result.conversion else ()
    return any(it.name == expectation.target and it.outcome is Outcome.OK for it in targets)


def _sentence(result: JobResult) -> str:
    told = result.what or (result.conversion.headline if result.conversion else "")
    return next((line for line in told.splitlines() if line.strip()), result.label)


def _joined(wrong: Sequence[Failure]) -> str:
    return "; ".join(f"{it.target}: {it.why}" if it.target else it.why for it in wrong)


def _exit_codes(row: ZooRow) -> set[ExitCode]:
    if row.result is None:
        return {ExitCode.INFRASTRUCTURE}
    if row.standing is not Standing.FAIL:
        return {ExitCode.PARITY_FAILED}
    return {it.outcome.exit_code for it in failures(row.result) if acceptance(it, row.expect) is None}


def _complaints(bad: Sequence[ZooRow]) -> tuple[str, ...]:
    """``3 fail (2 conversion, 1 oom)``, ``1 passes against its expectation``, ``4 did not run``."""
    counts = Counter(row.standing for row in bad)
    outcomes = Counter(label(row) for row in bad if row.standing is Standing.FAIL)
    ways = ", ".join(f"{number:,} {name}" for name, number in sorted(outcomes.items(), key=lambda it: (-it[1], it[0])))
    told = (
        (Standing.FAIL, f"{{}} fail{{s}} ({ways})"),
        (Standing.EXPIRED, "{} fail{s} after the expectation expired"),
        (Standing.UNEXPECTED_PASS, "{} pass{es} against expectation"),
        (Standing.NOT_RUN, "{} did not run"),
    )
    return tuple(
        text.format(f"{counts[standing]:,}", s="s" * (counts[standing] == 1), es="es" * (counts[standing] == 1))
        for standing, text in told
        if counts[standing]
    )
