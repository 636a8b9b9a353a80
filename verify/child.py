"""Starting a worker's process: cold, as a program of its own, or forked from a server that has its imports ready."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from verify.fork_client import fork_child
from verify.worker_environment import import_path, worker_environment

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from verify.worker_process import serve; "
    "serve(*map(int, sys.argv[2:5]), preload=tuple(sys.argv[5:]))"
)
"""With our own ``sys.path`` and ``-P``: a ``numpy.py`` in the folder that we happen to stand in is not imported."""


class Process(Protocol):
    """A started process, which leads a process group of its own."""

    @property
    def pid(self) -> int | None:
        """``None`` until a fork server has made it."""
        ...

    @property
    def returncode(self) -> int | None:
        """As of :class:`subprocess.Popen`: negative for a signal, ``None`` before it was found to have ended."""
        ...

    def poll(self) -> int | None:
        """Look whether it has ended."""
        ...

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Its exit status; ``None`` when the time is over first."""
        ...

    def kill_group(self) -> None:
        """Kill it and its process group; of a process that has ended, what is left of its group."""
        ...

    def close(self) -> None:
        """Release what watches it."""
        ...


class Started(NamedTuple):
    """A process and our ends of its three pipes. Nothing is ever written to the lifeline: its end tells of ours."""

    process: Process
    requests: IO[bytes]
    answers: IO[bytes]
    lifeline: IO[bytes]


def start(preload: tuple[str, ...], log: IO[bytes], fork_server: Path | None) -> Started:
    """A worker's process that prints to ``log``. Without a fork server, or when that is gone, it starts cold."""
    request_read, request_write = os.pipe()
    answer_read, answer_write = os.pipe()
    lifeline_read, lifeline_write = os.pipe()
    theirs = (request_read, answer_write, lifeline_read)
    ours = (
        os.fdopen(request_write, "wb"),
        os.fdopen(answer_read, "rb", buffering=0),
        os.fdopen(lifeline_write, "wb"),
    )
    try:
        process: Process | None = None
        if fork_server is not None:
            process = fork_child(fork_server, theirs, log.fileno(), preload)
        return Started(process or _ColdProcess(preload, theirs, log), *ours)
    except BaseException:
        for stream in ours:
            stream.close()
        raise
    finally:
        for fd in theirs:
            os.close(fd)


class _ColdProcess:
    def __init__(self, preload: tuple[str, ...], pipes: tuple[int, int, int], log: IO[bytes]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, json.dumps(import_path()), *map(str, pipes), *preload],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=pipes,
            start_new_session=True,
            env=worker_environment(),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    def poll(self) -> int | None:
        return self._process.poll()

    def wait(self, timeout_s: float | None = None) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        return None

    def kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Nothing to release."""
