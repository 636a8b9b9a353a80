"""What a lock file holds: the drift of every output as it was recorded, and the exceptions that people granted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

LOCK_SCHEMA_VERSION = "1"
ANY = "*"
"""In an exception: whatever the name."""


@dataclass(frozen=True)
class LockedOutput:
    """The drift of one output of one edge. ``None``: not measured, as for integers that must be equal."""

    expected: str
    """The model that was trusted, by its name in the report."""
    actual: str
    output: str
    rms_error: float
    max_abs_error: float | None = None
    sqnr_db: float | None = None


@dataclass(frozen=True)
class Accepted:
    """An exception: a failure that does not fail the run, until a day, because somebody says so."""

    actual: str
    """The model that fails, or ``*``."""
    failure: str
    """The failure's name, as the report gives it: ``below budget``. Every other one still fails."""
    reason: str
    owner: str
    expires: date
    """The last day on which it holds."""
    expected: str = ANY
    output: str = ANY
    min_sqnr_db: float | None = None
    """Accepted down to this SQNR, where one is measured."""

    def covers(self, expected: str, actual: str, output: str, failure: str | None) -> bool:
        """Whether it is about this failure of this output."""
        told = ((self.expected, expected), (self.actual, actual), (self.output, output))
        return failure == self.failure and all(pattern in {ANY, name} for pattern, name in told)


@dataclass(frozen=True)
class Lock:
    """A lock file. What was measured on other samples cannot be compared, so it says on which."""

    schema_version: str
    samples: str
    outputs: tuple[LockedOutput, ...] = ()
    accepted: tuple[Accepted, ...] = ()

    def recorded(self, expected: str, actual: str, output: str) -> LockedOutput | None:
        """The record of an output."""
        wanted = (expected, actual, output)
        return next((it for it in self.outputs if (it.expected, it.actual, it.output) == wanted), None)
