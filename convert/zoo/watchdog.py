"""Keeps the limits of a job over all its processes, whoever started them and whatever group they are in."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Set
from concurrent.futures import Future
from threading import Thread

from convert.zoo.job import GIB, MIB, JobLimits
from verify.errors import InfrastructureError, LogTooLong, OutOfMemory, TimeLimitExceeded, TooManyProcesses
from verify.limits import Usage
from verify.process_tree import proportional_bytes, resident_bytes

_WEIGHING_SECONDS = 0.5
"""Least time between two exact weighings below the limit: one costs tens of milliseconds."""
_WEIGHING_AGAIN_SECONDS = 5.0

_IN_THE_MANIFEST = "if the model needs that, raise {} of it in the manifest"


class Watchdog:
    """A :class:`verify.limits.Watch` of one job.

    ``processes`` gives all that run for it. Their memory is weighed so that what they share, with each other and with
    the fork servers, is counted once: ``peak_memory_bytes`` is the highest sum seen.
    """

    def __init__(self, limits: JobLimits, processes: Callable[[], Set[int]]) -> None:
        self._limits = limits
        self._processes = processes
        self._weighing: Future[int] | None = None
        self._weighed_at = 0.0
        self._weighed_bytes = 0
        self._resident_then = 0
        self.peak_memory_bytes = 0

    def __call__(self, worker: int | None, elapsed_s: float) -> Usage:
        """See :class:`verify.limits.Watch`."""
        del worker
        running = self._processes()
        self._weigh(running)
        return Usage(self._weighed_bytes, self._passed(elapsed_s, running))

    def _weigh(self, running: Set[int]) -> None:
        """Read the last weighing when it is done, and begin another if that could be a new peak or over the limit."""
        if self._weighing is not None:
            if not self._weighing.done():
                return
            self._weighed_bytes = self._weighing.result()
            self.peak_memory_bytes = max(self.peak_memory_bytes, self._weighed_bytes)
            self._weighing = None
        resident = resident_bytes(running)
        bound = min(resident, self._weighed_bytes + max(0, resident - self._resident_then))
        age_s = time.monotonic() - self._weighed_at
        of_interest = bound > self.peak_memory_bytes or age_s > _WEIGHING_AGAIN_SECONDS
        if resident > self._limits.memory_bytes or (of_interest and age_s > _WEIGHING_SECONDS):
            self._resident_then, self._weighed_at = resident, time.monotonic()
            self._weighing = _weigh_aside(running)

    def _passed(self, elapsed_s: float, running: Set[int]) -> InfrastructureError | None:
        limits = self._limits
        if len(running) > limits.processes:
            return TooManyProcesses(
                f"the job had {len(running)} processes, over its limit of {limits.processes}",
                fix=_IN_THE_MANIFEST.format("the limit of processes"),
            )
        if self._weighed_bytes > limits.memory_bytes:
            return over_memory(limits, self._weighed_bytes)
        if elapsed_s > limits.timeout_s:
            return TimeLimitExceeded(
                f"the job ran longer than its limit of {limits.timeout_s:g} s",
                fix=_IN_THE_MANIFEST.format("the time limit"),
            )
        printed = printed_bytes(running)
        if printed > limits.log_bytes:
            return LogTooLong(
                f"the job printed {printed / MIB:.1f} MiB, over its limit of {limits.log_bytes / MIB:.1f} MiB",
                fix="take what prints in a loop out of the model's code; the log shows how it begins",
            )
        return None


def _weigh_aside(processes: Set[int]) -> Future[int]:
    """In a thread: a process that forks without a pause can keep whoever weighs it waiting for seconds."""
    weighing: Future[int] = Future()
    Thread(target=lambda: weighing.set_result(proportional_bytes(processes)), daemon=True, name="scales").start()
    return weighing


def over_memory(limits: JobLimits, used_bytes: int | None = None) -> OutOfMemory:
    """The job used more than it may; ``used_bytes`` where that was weighed, and not for the kernel to stop it."""
    used = f"{used_bytes / GIB:.2f} GiB, over" if used_bytes is not None else "more than"
    return OutOfMemory(
        f"the job used {used} its limit of {limits.memory_bytes / GIB:.2f} GiB",
        fix=_IN_THE_MANIFEST.format("the memory limit"),
    )


def printed_bytes(processes: Iterable[int]) -> int:
    """Size of the files that are the processes' stdout or stderr. Linux only; elsewhere 0."""
    logs: dict[tuple[int, int], int] = {}
    for process in processes:
        for stream in (1, 2):
            try:
                found = os.stat(f"/proc/{process}/fd/{stream}")  # noqa: PTH116
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode):
                logs[found.st_dev, found.st_ino] = found.st_size
    return sum(logs.values())
