"""Asking a fork server for a process, and watching it from afar: it is the server's child, not ours."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import threading
import time
from pathlib import Path

from verify.process_tree import is_running
from verify.worker_environment import import_path, worker_environment

LOST_STATUS = 256
"""The exit status of a process whose fork server ended first: nobody can know it. None has one above 255."""

_POLL_SECONDS = 0.1
_REPORTING_SECONDS = 2.0
"""How long a fork server may take to report that a process has ended."""


def fork_child(
    fork_server: Path, pipes: tuple[int, int, int], log: int, preload: tuple[str, ...]
) -> ForkedProcess | None:
    """Ask for a process that serves ``pipes`` as a cold worker would; ``None`` when no server listens there.

    It stands where we stand, with our environment and import path. Returns at once: a server that is still importing
    answers when it has done so.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(fork_server))
        request = {
            "folder": _current_folder(),
            "environment": worker_environment(),
            "import_path": import_path(),
            "preload": preload,
        }
        data = json.dumps(request).encode() + b"\n"
        sent = socket.send_fds(connection, [data], [*pipes, log])
        connection.sendall(data[sent:])
    except OSError:
        connection.close()
        return None
    return ForkedProcess(connection)


def _current_folder() -> str | None:
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return None


class ForkedProcess:
    """A :class:`verify.child.Process` that a fork server tells about: first its id, later how it ended."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._received = b""
        self._pid: int | None = None
        self._status: int | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        self.poll()
        return self._pid

    @property
    def returncode(self) -> int | None:
        return self._status

    def poll(self) -> int | None:
        with self._lock:
            while self._status is None:
                try:
                    chunk = self._connection.recv(256)
                except BlockingIOError:
                    break
                except OSError:
                    chunk = b""
                self._take(chunk)
        return self._status

    def _take(self, chunk: bytes) -> None:
        if not chunk:
            self._lose()
        *lines, self._received = (self._received + chunk).split(b"\n")
        for line in lines:
            if self._pid is None:
                self._pid = int(line)
            else:
                self._status = int(line)

    def _lose(self) -> None:
        """Without a server nobody would ever say how the process ended: it ends here."""
        self._status = LOST_STATUS
        self._kill()

    def wait(self, timeout_s: float | None = None) -> int | None:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        gone_since: float | None = None
        while self.poll() is None:
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return None
            if self._pid is not None and not is_running(self._pid):
                gone_since = gone_since or now
                if now > gone_since + _REPORTING_SECONDS:  # the server was stopped, or hangs
                    self._status = LOST_STATUS
            select.select([self._connection], [], [], _POLL_SECONDS)
        return self._status

    def kill_group(self) -> None:
        """One that is not made yet never will be: the server forks for nobody who has hung up."""
        self.poll()
        with self._lock:
            if self._pid is None and self._status is None:
                self._status = -signal.SIGKILL
                self._connection.close()
            self._kill()

    def _kill(self) -> None:
        if self._pid is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        if self._status in {None, LOST_STATUS}:  # it may not lead its group yet
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._pid, signal.SIGKILL)

    def close(self) -> None:
        self._connection.close()
