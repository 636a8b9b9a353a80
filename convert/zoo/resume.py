"""Which results of earlier runs still stand, and which jobs must run."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from convert.zoo.job import Job
from convert.zoo.result import JobResult, Outcome
from convert.zoo.scheduler import with_twice_the_memory

RETRY_ALL = frozenset(Outcome)


def to_run(job: Job, earlier: JobResult | None, retry: AbstractSet[Outcome], largest_job_bytes: int) -> Job | None:
    """The job to run, or ``None`` when the earlier result of the same key stands.

    What says something about the model stands: a verdict, a refused conversion, a crash. A limit stands as long as it
    was no smaller than today's. What says something about the machine (infrastructure) never does.
    """
    if earlier is None or earlier.outcome in retry or earlier.outcome is Outcome.INFRASTRUCTURE:
        return job
    if earlier.outcome is Outcome.TIMEOUT and earlier.limits.timeout_s < job.limits.timeout_s:
        return job
    if earlier.outcome is not Outcome.OOM:
        return None
    larger = with_twice_the_memory(job, largest_job_bytes)
    if larger is None:
        return job if earlier.limits.memory_bytes < job.limits.memory_bytes else None
    return _after_oom(job, larger, earlier)


def _after_oom(job: Job, larger: Job, earlier: JobResult) -> Job | None:
    """A run that was killed between the two attempts goes on with the second."""
    had = earlier.limits.memory_bytes
    if had >= larger.limits.memory_bytes:
        return None
    return larger if had >= job.limits.memory_bytes else job
