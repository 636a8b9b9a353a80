"""The side of a :mod:`verify.fork_server` that forks. It has one thread, imports, and runs no job itself."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, NoReturn

from verify.process_tree import adopt_orphans, descendants, end_all
from verify.worker_process import OBJECTS_BETWEEN_COLLECTIONS, serve

_BACKLOG = 64
_REQUEST_SECONDS = 5.0
_DESCRIPTORS = 4
_BUSY_PORTION_BYTES = 2**16
_KILLED_FIRST = "800"
"""For ``oom_score_adj``, see proc(5): when memory runs out the kernel takes a worker, and not what watches over it."""


def listen(path: str, lifeline: int, preload: list[str], groups: list[str]) -> NoReturn:
    """Fork workers for whoever connects, until the parent's end of the lifeline closes: then everything below ends."""
    for group in groups:
        Path(group).write_text("0")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    adopt_orphans()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(path)
        listening.listen(_BACKLOG)
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the parent waits for the end of our stdout
        _Server(listening, lifeline, preload).loop()


class _Server:
    def __init__(self, listening: socket.socket, lifeline: int, preload: list[str]) -> None:
        self._listening = listening
        self._lifeline = lifeline
        self._preload = preload
        self._imported = False
        self._asked_by: dict[int, socket.socket] = {}
        """Who waits for a process to end, by its id."""
        self._ended, self._wake = os.pipe()
        for end in (self._ended, self._wake):
            os.set_blocking(end, False)
        self._selector = selectors.DefaultSelector()

    def loop(self) -> NoReturn:
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for handle in (self._listening, self._lifeline, self._ended):
            self._selector.register(handle, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in self._selector.select()}
            if self._lifeline in ready:
                end_all(lambda: descendants(os.getpid()))
                os._exit(0)  # as workers do: frameworks can hang in their exit handlers
            if self._ended in ready:
                os.read(self._ended, _BUSY_PORTION_BYTES)
                self._report_the_ended()
            if self._listening in ready:
                self._accept()

    def _accept(self) -> None:
        connection, _ = self._listening.accept()
        self._import()
        connection.settimeout(_REQUEST_SECONDS)
        descriptors: list[int] = []
        try:
            request = _receive(connection, descriptors)
            if len(descriptors) == _DESCRIPTORS and not _hung_up(connection):
                self._fork(connection, request, descriptors)
                return
        except (OSError, ValueError):  # whoever asked is gone, or is no worker
            pass
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        connection.close()

    def _import(self) -> None:
        if self._imported:
            return
        gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
        for entry in self._preload:
            _prepare(entry)
        gc.collect()
        gc.freeze()
        self._imported = True

    def _fork(self, connection: socket.socket, request: dict[str, Any], descriptors: list[int]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            try:
                self._forget(connection)
                _become_worker(request, descriptors)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        self._asked_by[pid] = connection
        _tell(connection, pid)

    def _forget(self, connection: socket.socket) -> None:
        """In the child: let go of all that is the server's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for ours in (self._listening, connection, *self._asked_by.values()):
            ours.close()
        for descriptor in (self._lifeline, self._ended, self._wake):
            os.close(descriptor)

    def _report_the_ended(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            connection = self._asked_by.pop(pid, None)  # orphans of workers are nobody's
            if connection is not None:
                _tell(connection, os.waitstatus_to_exitcode(status))
                connection.close()


def _receive(connection: socket.socket, descriptors: list[int]) -> dict[str, Any]:
    data, received, _, _ = socket.recv_fds(connection, _BUSY_PORTION_BYTES, _DESCRIPTORS)
    descriptors.extend(received)
    while data and not data.endswith(b"\n"):
        chunk = connection.recv(_BUSY_PORTION_BYTES)
        if not chunk:
            break
        data += chunk
    request: dict[str, Any] = json.loads(data)
    return request


def _hung_up(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False


def _tell(connection: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(f"{number}\n".encode())


def _prepare(entry: str) -> None:
    """Import a module, and call its function where one is named; what fails here, the job that needs it will say."""
    module, _, function = entry.partition(":")
    try:
        found = importlib.import_module(module)
        if function:
            getattr(found, function)()
    except Exception:
        traceback.print_exc()


def _become_worker(request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Everything that a cold worker has from its parent, then its own loop."""
    requests, answers, lifeline, log = descriptors
    os.setsid()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_KILLED_FIRST)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:] = request["import_path"]
    tempfile.tempdir = None  # TMPDIR may be another
    if request["folder"] is not None:
        os.chdir(request["folder"])
    serve(requests, answers, lifeline, tuple(request["preload"]))
