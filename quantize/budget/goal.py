"""What is asked of an int8 file, and whether what was measured of one is inside."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from verify.errors import ExitCode, InputError, ToolError
from verify.task.share import parse_drop, parse_share

LEAST_INT8_MACS = 0.8
"""Share of the multiplications that stay int8, unless told otherwise: less is hardly an int8 file."""


class MetricOption(StrEnum):
    """What ``--max-drop`` is measured in. ``auto`` goes by the shape of the labels."""

    AUTO = "auto"
    TOP_1 = "top-1"
    TOP_5 = "top-5"
    MEAN_IOU = "mIoU"
    MEAN_AP = "mAP50"
    AGREEMENT = "agreement"


@dataclass(frozen=True)
class Budget:
    """What an int8 file may lose. ``max_drop`` is absolute: 0.005 lets 90 % fall to 89.5 %."""

    max_drop: float | None = None
    min_sqnr_db: float | None = None
    min_top1_agreement: float | None = None
    metric: MetricOption = MetricOption.AUTO
    least_int8_macs: float = LEAST_INT8_MACS


@dataclass(frozen=True)
class Measured:
    """A number from samples and its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Score:
    """How good a file is on the samples that judge, against the float file on the same.

    ``sqnr_db`` is of the worst output; ``agreement`` is the share of samples (or pixels) given the same class;
    ``metric`` is the task's, and ``drop`` how much lower than the float file's it is.
    """

    sqnr_db: Measured
    agreement: Measured | None = None
    metric: float | None = None
    drop: Measured | None = None


class Standing(StrEnum):
    """Where a file stands with its budget."""

    MET = "met"
    UNCERTAIN = "uncertain"
    """Met on these samples, but the confidence interval reaches outside."""
    MISSED = "missed"


@dataclass(frozen=True)
class Requirement:
    """One limit. ``sign`` is 1 where more is better, -1 where less is; ``quantity`` is a field of :class:`Score`."""

    quantity: str
    limit: float
    sign: int

    def of(self, score: Score) -> Measured:
        """What the limit is of."""
        found = getattr(score, self.quantity)
        if not isinstance(found, Measured):
            raise InputError(
                "the outputs are not classes, so that there is no top-1 to agree or to fall",
                fix="give labels with --eval, or ask for --min-sqnr-db",
            )
        return found

    def slack(self, score: Score) -> float:
        """How far inside it is; negative outside."""
        return self.sign * (self.of(score).value - self.limit)

    def sure_slack(self, score: Score) -> float:
        """As :meth:`slack`, at the end of the interval that is worse."""
        found = self.of(score)
        return self.sign * ((found.low if self.sign > 0 else found.high) - self.limit)


def requirements(budget: Budget) -> tuple[Requirement, ...]:
    """The limits that a budget sets; raises ``InputError`` where it sets none."""
    asked = (
        ("drop", budget.max_drop, -1),
        ("sqnr_db", budget.min_sqnr_db, 1),
        ("agreement", budget.min_top1_agreement, 1),
    )
    found = tuple(Requirement(quantity, limit, sign) for quantity, limit, sign in asked if limit is not None)
    if not found:
        raise InputError("the budget sets no limit", fix="give --max-drop, --min-sqnr-db or --min-top1-agreement")
    return found


def standing(limits: tuple[Requirement, ...], score: Score) -> Standing:
    """Of the limit that is worst off."""
    if any(not limit.slack(score) >= 0 for limit in limits):
        return Standing.MISSED
    return Standing.MET if all(limit.sure_slack(score) >= 0 for limit in limits) else Standing.UNCERTAIN


def samples_needed(limits: tuple[Requirement, ...], perfect: Score, count: int) -> int | None:
    """How many samples it takes for a file that answers as the float file does to be surely inside; ``None`` where
    ``count`` are enough. ``perfect`` is the float file's own score on so many: its intervals narrow as 1 over count.
    """
    factors = [
        (limit.slack(perfect) - limit.sure_slack(perfect)) / limit.slack(perfect)
        for limit in limits
        if limit.sure_slack(perfect) < 0 < limit.slack(perfect)
    ]
    return math.ceil(count * max(factors)) if factors else None


def budget_of(
    max_drop: str | None,
    min_sqnr_db: float | None,
    min_top1_agreement: str | None,
    metric: MetricOption,
    int8_macs: str,
) -> Budget | None:
    """What a command line asks for; ``None`` where it sets no limit."""
    if max_drop is None and min_sqnr_db is None and min_top1_agreement is None:
        return None
    return Budget(
        None if max_drop is None else parse_drop(max_drop),
        min_sqnr_db,
        None if min_top1_agreement is None else parse_share(min_top1_agreement, "--min-top1-agreement"),
        metric,
        parse_share(int8_macs, "--min-int8-macs"),
    )


class BudgetMissed(ToolError):
    """No int8 file within the limits was found; nothing was written."""

    exit_code = ExitCode.PARITY_FAILED
