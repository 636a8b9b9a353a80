"""The processes below one: finding them, measuring what they hold, ending every one of them."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Set
from functools import cache
from pathlib import Path

_PROC = Path("/proc")
_SET_CHILD_SUBREAPER = 36
"""See prctl(2)."""
_ENDING_SECONDS = 20.0
_PAUSE_SECONDS = 0.002


def descendants(*roots: int) -> set[int]:
    """All processes below ``roots``, those that have ended but were not waited for included."""
    if not _has_proc():
        return set[int]().union(*map(_descendants_elsewhere, roots))
    children = _listed_children if _lists_children() else _children_by_parent().__getitem__
    return _below(roots, children)


def resident_bytes(processes: Iterable[int]) -> int:
    """Sum of their resident memory; what they share is counted once for each. Those that are gone count nothing."""
    return sum(map(_resident_bytes, processes))


def anonymous_bytes(processes: Iterable[int]) -> int:
    """Sum of their resident memory that is of no file; what they share is counted once for each."""
    return sum(map(_anonymous_bytes, processes))


def proportional_bytes(processes: Iterable[int]) -> int:
    """Sum of their memory, swapped out too; what ``n`` processes share is counted a part in ``n`` for each.

    Costs about a millisecond for every 200 MiB. Where the kernel does not say, it is the resident memory.
    """
    return sum(map(_proportional_bytes, processes))


def is_running(process: int) -> bool:
    """Whether it exists and has not ended: a zombie has, unless threads of it go on without the first one."""
    return _state(process) not in {"", "Z", "X"} or _thread_count(process) > 1


def is_stopped(process: int) -> bool:
    """Whether a signal stopped it, or a debugger holds it."""
    return _state(process) in {"T", "t"}


def adopt_orphans() -> None:
    """Become the parent of every process below us that loses its own, so that none gets away. Linux only."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_all(find: Callable[[], Set[int]]) -> set[int]:
    """Kill all that ``find`` gives until it gives none but zombies; returns those that would not end.

    Ours are waited for; zombies of others are theirs to wait for. All are stopped before the first is killed, so that
    whatever starts processes faster than they can be killed stands still.
    """
    survivors: set[int] = set()
    deadline = time.monotonic() + _ENDING_SECONDS
    while left := _still_running(find()):
        if left != survivors:
            survivors, deadline = left, time.monotonic() + _ENDING_SECONDS
        if time.monotonic() > deadline:
            break
        _stop(left, find)
        _signal(left, signal.SIGKILL)
        time.sleep(_PAUSE_SECONDS)
    return left


def _stop(running: set[int], find: Callable[[], Set[int]]) -> None:
    """Stop what runs, and add to it and stop what it started meanwhile."""
    fresh = set(running)
    while fresh:
        _signal(fresh, signal.SIGSTOP)
        fresh = _still_running(find()) - running
        running |= fresh


def _still_running(processes: Iterable[int]) -> set[int]:
    running = set()
    for process in processes:
        if is_running(process):
            running.add(process)
        else:
            with contextlib.suppress(ChildProcessError):  # it is not ours to wait for
                os.waitpid(process, os.WNOHANG)
    return running


def _signal(processes: Iterable[int], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)


@cache
def _has_proc() -> bool:
    return (_PROC / "self" / "statm").exists()


@cache
def _lists_children() -> bool:
    """Kernels built without ``CONFIG_PROC_CHILDREN`` do not."""
    return Path(f"/proc/self/task/{os.getpid()}/children").exists()


def _below(roots: Iterable[int], children: Callable[[int], Iterable[int]]) -> set[int]:
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        with contextlib.suppress(KeyError):
            fresh = [child for child in children(waiting.pop()) if child not in found]
            found.update(fresh)
            waiting.extend(fresh)
    return found


def _listed_children(process: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208
            children += map(int, _read(f"/proc/{process}/task/{thread}/children").split())
    return children


def _children_by_parent() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            fields = _stat_fields(int(name))
            if fields:
                found.setdefault(int(fields[1]), []).append(int(name))
    return found


def _stat_fields(process: int) -> list[bytes]:
    """State, parent, process group, … of proc(5); the name before them may hold spaces and parentheses."""
    text = _read(f"/proc/{process}/stat")
    return text[text.rindex(b")") + 2 :].split() if text else []


def _state(process: int) -> str:
    """As ps shows it: ``R``, ``S``, ``T`` …; empty when it is gone."""
    if _has_proc():
        fields = _stat_fields(process)
        return fields[0].decode() if fields else ""
    import psutil

    letters = {psutil.STATUS_ZOMBIE: "Z", psutil.STATUS_DEAD: "X", psutil.STATUS_STOPPED: "T"}
    try:
        return letters.get(psutil.Process(process).status(), "R")
    except psutil.Error:
        return ""


def _thread_count(process: int) -> int:
    fields = _stat_fields(process) if _has_proc() else []
    return int(fields[17]) if fields else 0


def _pages(process: int) -> list[int]:
    """Size, resident, shared, … of proc(5), in pages."""
    return list(map(int, _read(f"/proc/{process}/statm").split())) or [0, 0, 0]


def _anonymous_bytes(process: int) -> int:
    if not _has_proc():
        return _resident_bytes(process)
    _, resident, shared, *_ = _pages(process)
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def _resident_bytes(process: int) -> int:
    if _has_proc():
        return _pages(process)[1] * os.sysconf("SC_PAGE_SIZE")
    import psutil

    try:
        return int(psutil.Process(process).memory_info().rss)
    except psutil.Error:
        return 0


def _proportional_bytes(process: int) -> int:
    lines = _read(f"/proc/{process}/smaps_rollup").splitlines()
    found = [int(line.split()[1]) for line in lines if line.startswith((b"Pss:", b"SwapPss:"))]
    return sum(found) * 1024 if found else _resident_bytes(process)


def _descendants_elsewhere(root: int) -> set[int]:
    import psutil

    try:
        return {child.pid for child in psutil.Process(root).children(recursive=True)}
    except psutil.Error:
        return set()


def _read(path: str) -> bytes:
    """A file of /proc; empty when its process is gone, or is not ours to look at."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(handle, 2**16)
    except OSError:
        return b""
    finally:
        os.close(handle)
