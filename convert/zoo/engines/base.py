"""What every engine does: takes jobs while it has room, and tells which have ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from convert.zoo.job import Job
from convert.zoo.result import JobResult


@dataclass(frozen=True)
class Finished:
    """A job that ended. Without a result its machine was lost, and ``lost`` says how; it may run again elsewhere."""

    id: str
    result: JobResult | None
    lost: str = ""


class Engine(Protocol):
    """A context manager over running jobs; leaving it ends them all, with every process they started."""

    @property
    def largest_job_bytes(self) -> int:
        """The most memory one job can ask for."""
        ...

    def accepts(self, job: Job) -> bool:
        """Whether there is room for the job now. Room, once nothing runs, is there for every job that fits at all."""
        ...

    def start(self, job: Job) -> None:
        """Begin a job; returns at once."""
        ...

    def wait(self, timeout_s: float) -> Sequence[Finished]:
        """Jobs that ended since the last call; waits for one at most so long."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
