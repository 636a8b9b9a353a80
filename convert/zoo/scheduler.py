"""Which job runs when: longest first, once more with twice the memory, again where a machine was lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from convert.zoo.engines.base import Engine, Finished
from convert.zoo.job import GIB, Job, SourceKind
from convert.zoo.result import JobResult, Outcome

MOST_MACHINES_LOST = 3
"""A job that loses so many machines is taken for the cause."""

LOOK_AHEAD = 64
"""So many jobs that have no room are passed over for a smaller one; more would cost a large zoo more than it gains."""

POLL_SECONDS = 0.25


class Watcher(Protocol):
    """Told of everything that happens to jobs; :meth:`tick` comes several times a second."""

    def started(self, job: Job) -> None: ...

    def finished(self, result: JobResult) -> None: ...

    def again(self, job: Job, why: str) -> None:
        """The job waits for another attempt."""
        ...

    def tick(self) -> None: ...


@dataclass
class Scheduler:
    """Runs jobs on an engine, each to its final result, which the watcher is told; holds only jobs, never results."""

    engine: Engine
    watcher: Watcher
    _running: dict[str, Job] = field(default_factory=dict)
    _machines_lost: dict[str, int] = field(default_factory=dict)

    def run(self, jobs: Sequence[Job]) -> None:
        """Run all jobs, the first that has room first; returns when the last one has ended."""
        waiting = list(jobs)
        while waiting or self._running:
            waiting = self._fill(waiting)
            for finished in self.engine.wait(POLL_SECONDS):
                again = self._settle(finished)
                if again is not None:
                    waiting.insert(0, again)
            self.watcher.tick()

    def _fill(self, waiting: Sequence[Job]) -> list[Job]:
        """Start what there is room for; returns what still waits, in order."""
        left: list[Job] = []
        for position, job in enumerate(waiting):
            if len(left) == LOOK_AHEAD:
                return [*left, *waiting[position:]]
            if job.limits.memory_bytes > self.engine.largest_job_bytes:
                self.watcher.finished(_too_large(job, self.engine.largest_job_bytes))
            elif self.engine.accepts(job):
                self._running[job.id] = job
                self.engine.start(job)
                self.watcher.started(job)
            else:
                left.append(job)
        return left

    def _settle(self, finished: Finished) -> Job | None:
        """Report a final result, or give the job back for another attempt."""
        job = self._running.pop(finished.id)
        result = finished.result
        if result is None:
            lost = self._machines_lost[job.id] = self._machines_lost.get(job.id, 0) + 1
            if lost < MOST_MACHINES_LOST:
                self.watcher.again(job, f"its machine was lost: {finished.lost}")
                return job
            result = _machines_lost(job, finished.lost)
        larger = with_twice_the_memory(job, self.engine.largest_job_bytes)
        if result.outcome is Outcome.OOM and larger is not None:
            self.watcher.again(larger, f"out of memory: once more with {larger.limits.memory_bytes / GIB:.1f} GiB")
            return larger
        self.watcher.finished(result)
        return None


def longest_first(jobs: Sequence[Job], seconds: Mapping[str, float]) -> list[Job]:
    """Jobs by how long they took last time. Those that never ran go first, the largest checkpoint foremost."""
    return sorted(jobs, key=lambda job: (job.id in seconds, -seconds.get(job.id, 0.0), -_size(job)))


def _size(job: Job) -> int:
    """Bytes of the checkpoint, where it is a file."""
    source = job.task.source
    if source.kind is not SourceKind.FILE:
        return 0
    try:
        return (job.folder / source.location).stat().st_size
    except OSError:
        return 0


def with_twice_the_memory(job: Job, largest_job_bytes: int) -> Job | None:
    """The second attempt of a job that ran out of memory; ``None`` when it had it, or when that much is not there."""
    twice = 2 * job.limits.memory_bytes
    if job.attempt > 1 or twice > largest_job_bytes:
        return None
    return replace(job, limits=replace(job.limits, memory_bytes=twice), attempt=2)


def _too_large(job: Job, largest_job_bytes: int) -> JobResult:
    asked, most = job.limits.memory_bytes / GIB, largest_job_bytes / GIB
    return JobResult(
        id=job.id,
        key=job.key,
        outcome=Outcome.INFRASTRUCTURE,
        what=f"its memory limit is {asked:.1f} GiB; the most one job can have here is {most:.1f} GiB",
        fix="lower memory in the manifest, raise --memory, or use a larger machine",
        attempts=0,
        limits=job.limits,
    )


def _machines_lost(job: Job, how: str) -> JobResult:
    return JobResult(
        id=job.id,
        key=job.key,
        outcome=Outcome.INFRASTRUCTURE,
        what=f"{MOST_MACHINES_LOST} machines were lost while they ran it; the last one: {how}",
        fix="look at the machines' logs; if nothing else ends them, this model does",
        attempts=job.attempt,
        limits=job.limits,
    )
