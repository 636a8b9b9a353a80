"""Processes whose parent ended: taken over, waited for, and killed if they stay."""

from __future__ import annotations

import ctypes
import os
import sys
import time

from verify.process_tree import descendants, end_all

_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.02


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends; on Linux only, elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def outlive_descendants(timeout_s: float) -> None:
    """Wait until no descendant is left; those that are still there after ``timeout_s`` are killed."""
    deadline = time.monotonic() + timeout_s
    while _reap() and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    end_all(lambda: descendants(os.getpid()))


def _reap() -> bool:
    """Collect children that have ended; whether any still runs."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        return False
    return True
