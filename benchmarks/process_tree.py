"""Runs a command and measures it: wall time, and the peak memory of the whole process tree."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

POLL_S = 0.2


@dataclass(frozen=True)
class Run:
    """One command as it ran. ``cpu_seconds`` is user and system time of the tree, which other load changes little.

    ``peak_pss_bytes`` is the highest sum over the tree of proportional set sizes: a page that two processes share (a
    library, a fork's memory) counts once. ``peak_rss_bytes`` counts it in each.
    """

    command: str
    seconds: float
    cpu_seconds: float
    exit_code: int
    peak_pss_bytes: int
    peak_rss_bytes: int


def _without_folder(part: str) -> str:
    """A result names no folder of the machine it was made on."""
    return Path(part).name if Path(part).is_absolute() else part


def run_measured(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, poll_s: float = POLL_S
) -> Run:
    """Run the command to its end, with what it prints in ``log``.

    Weighing a tree costs milliseconds a process: of many, weigh them less often, or the measuring is what is measured.
    """
    peak_pss = peak_rss = 0
    with log.open("wb") as output:
        started, cpu_before = time.monotonic(), _children_cpu_seconds()
        process = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})}
        )
        while process.poll() is None:
            pss, rss = _memory_of_tree(process.pid)
            peak_pss, peak_rss = max(peak_pss, pss), max(peak_rss, rss)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(poll_s)
        seconds = time.monotonic() - started
    cpu_seconds = _children_cpu_seconds() - cpu_before
    return Run(
        " ".join(_without_folder(part) for part in command),
        seconds,
        cpu_seconds,
        process.returncode,
        peak_pss,
        peak_rss,
    )


def _children_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory_of_tree(pid: int) -> tuple[int, int]:
    pss = rss = 0
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                memory = process.memory_full_info()
                pss += memory.pss
                rss += memory.rss
    return pss, rss
