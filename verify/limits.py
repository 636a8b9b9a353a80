"""What a job may use, and the watch that ends it when it uses more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from verify.errors import InfrastructureError, LogTooLong, OutOfMemory, TimeLimitExceeded
from verify.process_tree import descendants, resident_bytes


@dataclass(frozen=True)
class Limits:
    """What one job may use. ``None`` is no limit. Memory is the resident set of the worker and its children.

    ``log_bytes`` bounds by how much the log grows while a worker lives, all workers that write to it together.
    """

    timeout_s: float | None = None
    memory_bytes: int | None = None
    log_bytes: int | None = None


class Usage(NamedTuple):
    """What a job holds now, and the limit that it has passed."""

    memory_bytes: int
    passed: InfrastructureError | None


class Watch(Protocol):
    """Looks at a running job ten times a second; a limit that it says is passed ends the job."""

    def __call__(self, worker: int | None, elapsed_s: float) -> Usage:
        """``worker`` is a process id, ``None`` before it has started; ``elapsed_s`` is how long the job has run."""
        ...


class FamilyWatch:
    """Watches a worker and all processes below it."""

    def __init__(self, name: str, limits: Limits, log_path: Path) -> None:
        self._name = name
        self._limits = limits
        self._log_path = log_path
        self._log_bytes_before = _size_bytes(log_path)

    def __call__(self, worker: int | None, elapsed_s: float) -> Usage:
        """See :class:`Watch`."""
        used = resident_bytes({worker, *descendants(worker)}) if worker is not None else 0
        return Usage(used, self._passed(elapsed_s, used))

    def _passed(self, elapsed_s: float, used_bytes: int) -> InfrastructureError | None:
        limits = self._limits
        if limits.timeout_s is not None and elapsed_s > limits.timeout_s:
            return TimeLimitExceeded(
                f"the {self._name} worker ran longer than its limit of {limits.timeout_s:g} s",
                fix="give it more with --timeout, or use a smaller input size",
            )
        if limits.memory_bytes is not None and used_bytes > limits.memory_bytes:
            return OutOfMemory(
                f"the {self._name} worker used {used_bytes / 2**30:.1f} GiB, over its limit of "
                f"{limits.memory_bytes / 2**30:.1f} GiB",
                fix="give it more with --memory-limit, or use a machine with more memory",
            )
        if limits.log_bytes is not None and _size_bytes(self._log_path) - self._log_bytes_before > limits.log_bytes:
            return LogTooLong(
                f"the {self._name} worker printed more than its limit of {limits.log_bytes / 2**20:.1f} MiB",
                fix="take what prints in a loop out of the model's code; the log's beginning shows it",
            )
        return None


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
