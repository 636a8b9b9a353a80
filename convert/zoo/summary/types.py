"""The one type of a zoo's summary. Renderings (HTML, JSON, CSV, JUnit, Markdown) read it and decide nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from convert.zoo.plan import Expectation
from convert.zoo.result import JobResult

SCHEMA_VERSION = "1"


class Standing(StrEnum):
    """What a job's outcome means, given what was expected of it."""

    PASS = "pass"  # noqa: S105
    KNOWN = "known failure"
    """It failed as expected, and the expectation has not expired."""
    FAIL = "fail"
    """It failed, and nobody said it may."""
    EXPIRED = "expired"
    """It failed as expected, but only until a day that has passed."""
    UNEXPECTED_PASS = "unexpected pass"  # noqa: S105
    NOT_RUN = "not run"
    """The run ended before it; there is no result."""

    @property
    def acceptable(self) -> bool:
        """Whether it leaves the exit code alone."""
        return self in {Standing.PASS, Standing.KNOWN}


@dataclass(frozen=True)
class ZooRow:
    """One job: its result, what it means, and what the manifest says about the model."""

    id: str
    standing: Standing
    why: str
    """One sentence: the number that decided, the error, or the accepted failure with its reason and its day."""
    result: JobResult | None
    folder: str = ""
    """Where its output folder is, relative to the summary; empty when nothing was published."""
    log: str = ""
    """Where its log is, relative to the summary."""
    tags: tuple[str, ...] = ()
    tier: int | None = None
    license: str = ""
    expect: tuple[Expectation, ...] = ()


@dataclass(frozen=True)
class ZooReport:
    """Everything a run of a zoo came to; ``zoo.json`` is this. Rows are in the manifest's order."""

    schema_version: str
    name: str
    headline: str
    """One sentence that answers: is the zoo all right, and if not, what is wrong?"""
    rows: tuple[ZooRow, ...]
    created: str
    """ISO 8601, UTC."""
    wall_seconds: float
    peak_memory_bytes: int | None
    """Of the scheduler and everything under it, where one machine ran all."""
    memory_cap_bytes: int | None
    """What jobs running together were allowed in total."""
    engine: str
    """``local`` or ``ray``."""
    versions: tuple[tuple[str, str], ...]
    shard: str = ""
    """``2/8`` where only that part of the manifest ran."""
