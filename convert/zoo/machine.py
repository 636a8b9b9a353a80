"""What this machine has for jobs: cores and memory, as far as we are allowed to use them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_SHARE = 0.8
"""What is left to the system, its file cache, and everything else that runs."""

_CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def usable_cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_memory_bytes() -> int:
    """Four fifths of the machine's memory, or of the container's where that has less."""
    import psutil

    limits = [psutil.virtual_memory().total]
    for path in _CONTAINER_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no such group, or "max"
            limits.append(int(path.read_text(encoding="ascii")))
    return int(min(limits) * _SHARE)
