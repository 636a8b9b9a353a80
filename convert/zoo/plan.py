"""A zoo after its manifest was read and expanded: one entry a job, nothing left to look up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from convert.zoo.job import JobLimits, ModelTask, Target
from convert.zoo.result import Outcome


@dataclass(frozen=True)
class Expectation:
    """A failure that is accepted for now: of one target, or of the whole job.

    It stops counting after ``expires``, and what passes against it is as unexpected as a failure.
    """

    outcome: Outcome
    reason: str
    expires: date
    target: Target | None = None


@dataclass(frozen=True)
class PlannedModel:
    """One job to be: what to convert, what it may use, and what is said about it."""

    id: str
    """Unique in the zoo, and a folder's name."""
    task: ModelTask
    limits: JobLimits = field(default_factory=JobLimits)
    cores: int = 1
    scratch: Path | None = None
    """Where it works, if not where the whole zoo does."""
    tags: tuple[str, ...] = ()
    tier: int | None = None
    license: str = ""
    expect: tuple[Expectation, ...] = ()


@dataclass(frozen=True)
class Zoo:
    """All models of a manifest, in its order. Relative paths in their tasks resolve against ``folder``."""

    name: str
    folder: Path
    models: tuple[PlannedModel, ...]
    output: Path | None = None
    """The folder for everything a run makes, where the manifest names one."""
