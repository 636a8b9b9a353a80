"""A process that has imported what workers need, runs nothing, and forks a fresh worker for whoever asks.

A worker that it makes starts warm in milliseconds, and always in the same state: what an earlier one did is in no
later one. It is asked through a UNIX socket (:mod:`verify.fork_client`), by any process of this user. Linux only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from verify.process_tree import descendants, end_all, is_stopped
from verify.worker_environment import import_path, worker_environment

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from verify.fork_server_process import listen; "
    "listen(sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4]), json.loads(sys.argv[5]))"
)


def can_fork_warm() -> bool:
    """Whether this system has what a fork server needs."""
    return sys.platform == "linux"


class ForkServer:
    """A context manager over the server's process; leaving it ends the server, with all that it forked.

    ``socket`` is where it listens, a short path in a folder of ours. ``preload`` is imported when the first worker is
    asked for. An entry ``module:function`` is called as well; it must start no thread. ``environment`` is added to
    ours for its imports: workers have the environment of whoever asks for them. ``join`` are ``cgroup.procs`` files of
    groups to be born in. What it prints goes to ``log_path``.
    """

    def __init__(
        self,
        socket: Path,
        preload: tuple[str, ...],
        *,
        log_path: Path,
        environment: Mapping[str, str] | None = None,
        join: tuple[Path, ...] = (),
    ) -> None:
        self.socket = socket
        socket.unlink(missing_ok=True)
        lifeline_read, lifeline_write = os.pipe()
        self._lifeline = os.fdopen(lifeline_write, "wb")
        arguments = [json.dumps(import_path()), str(socket), str(lifeline_read), json.dumps(preload)]
        arguments.append(json.dumps([str(path) for path in join]))
        try:
            with log_path.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _START, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    pass_fds=(lifeline_read,),
                    start_new_session=True,
                    env={**worker_environment(), **(environment or {})},
                )
        except BaseException:
            self._lifeline.close()
            raise
        finally:
            os.close(lifeline_read)
        self._wait_until_it_listens()

    def _wait_until_it_listens(self) -> None:
        if self._process.stdout is None:
            raise RuntimeError("asked for a pipe")
        with self._process.stdout as ready:
            ready.read()

    @property
    def pid(self) -> int:
        """The server's process id, which is also its process group."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it runs, and nothing has stopped it."""
        return self._process.poll() is None and not is_stopped(self._process.pid)

    def close(self) -> None:
        """End the server; its workers end with it."""
        if self._process.poll() is None:
            end_all(lambda: {self._process.pid, *descendants(self._process.pid)})
        self._process.wait()
        self._lifeline.close()
        self.socket.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
