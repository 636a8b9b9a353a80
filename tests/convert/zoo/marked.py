"""Finding every process that a test started, wherever it is in the tree: a mark in the environment goes down to all."""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil
import pytest

_MARK = "ZOO_TEST_MARK"
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Marked:
    """The processes of one test; made by :func:`mark_processes`."""

    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def processes(self) -> list[psutil.Process]:
        """Those that run now, other than the test's own."""
        return [process for process in psutil.process_iter() if self._has_mark(process)]

    def kill(self) -> None:
        """What a failed test left."""
        for process in self.processes():
            process.kill()

    def _has_mark(self, process: psutil.Process) -> bool:
        try:
            return (
                process.pid != os.getpid()
                and process.status() != psutil.STATUS_ZOMBIE
                and process.environ().get(_MARK) == self.mark
            )
        except psutil.Error:
            return False


def mark_processes(monkeypatch: pytest.MonkeyPatch) -> Marked:
    """Mark all processes that start from here on, and let them import what the test can."""
    marked = Marked()
    monkeypatch.setenv(_MARK, marked.mark)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(entry for entry in sys.path if entry))
    return marked


def until(condition: Callable[[], bool]) -> None:
    """Wait for it; fails after a minute."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.05)
