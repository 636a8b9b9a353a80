"""What one job at a time runs in: warm fork servers, a control group where one can be had, and the broom."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from convert.hosts import WarmHosts
from convert.stages.base import Host
from convert.zoo.child import thread_environment
from convert.zoo.control_group import ControlGroup, make_group
from convert.zoo.job import MIB, JobLimits
from convert.zoo.owner import is_abandoned, owner_tag
from convert.zoo.preload import JOB_PRELOAD, PRELOAD
from convert.zoo.scratch import remove_folder
from verify.fork_server import ForkServer, can_fork_warm
from verify.process_tree import adopt_orphans, anonymous_bytes, descendants, end_all

_PREFIX = "zoo-slot-"
_JOB = "job"
_LONGEST_FOLDER = 60
"""A socket's path has 108 bytes, see unix(7)."""

_SLACK_BYTES = 128 * MIB
"""Caches and the kernel's own tables are counted to a group, but are not a job's memory."""
_TASKS_PER_PROCESS = 8
_TASKS_PER_CORE = 32
"""Threads count as tasks, and libraries start some for every core; what forks without end stops here."""


class Slot:
    """A context manager. The process that holds a slot has no other children: whatever is below it is the job's.

    ``cold`` starts every process from nothing, as everywhere but on Linux; results are the same. ``recording`` is held
    while a result is kept: who ends the slot from another thread takes it first, and never gives it back.
    """

    def __init__(self, *, cold: bool = False) -> None:
        self._cold = cold or not can_fork_warm()
        self._servers: dict[str, ForkServer] = {}
        self._group: ControlGroup | None = None
        self._held_bytes: int | None = None
        self._cores = 0
        self.folder = Path()
        self.recording = threading.Lock()

    def __enter__(self) -> Self:
        adopt_orphans()
        self.folder = _make_folder()
        self._group = make_group()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    @property
    def join(self) -> tuple[Path, ...]:
        """Files that a job's process writes ``0`` to, to be in the slot's control group."""
        return self._group.join if self._group is not None else ()

    def prepare(self, cores: int) -> None:
        """Before a job that is to compute with so many threads: start what is not running, was stopped, or has others.

        Servers import when first asked for a process.
        """
        self._held_bytes = None
        if cores != self._cores:
            self._cores = cores
            self._close_servers()
        if self._cold:
            return
        for name, preload in {_JOB: JOB_PRELOAD, **{host.value: PRELOAD[host] for host in Host}}.items():
            server = self._servers.get(name)
            if server is not None and server.usable:
                continue
            if server is not None:
                server.close()
            self._servers[name] = ForkServer(
                self.folder / name,
                preload,
                log_path=self.folder / "servers.log",
                environment=thread_environment(cores),
                join=self.join,
            )

    @property
    def job_server(self) -> Path | None:
        """Where a job's own process is forked; ``None`` for a cold start."""
        return self._servers[_JOB].socket if self._servers else None

    @property
    def warm_hosts(self) -> WarmHosts:
        """Where its workers are forked."""
        return WarmHosts({host: self._servers[host.value].socket for host in Host} if self._servers else {})

    def processes(self) -> set[int]:
        """All that runs for the job, wherever it has gone."""
        return descendants(os.getpid()) - self._server_ids()

    def grouped_processes(self) -> set[int]:
        """The same by the control group, which is cheap to ask; where there is none, by descent."""
        return self._group.processes() - self._server_ids() if self._group is not None else self.processes()

    def limit(self, limits: JobLimits) -> None:
        """Have the kernel keep the limits, if it may, on top of what the servers themselves hold by now."""
        if self._group is None:
            return
        held = anonymous_bytes(self._server_ids())
        if held != self._held_bytes:
            self._held_bytes = held
            tasks = limits.processes * _TASKS_PER_PROCESS + (os.cpu_count() or 1) * _TASKS_PER_CORE
            self._group.limit(limits.memory_bytes + held + _SLACK_BYTES, tasks)

    def kills_for_memory(self) -> int:
        """How many processes the kernel has killed for the memory limit since the slot began."""
        return self._group.kills_for_memory() if self._group is not None else 0

    def sweep(self) -> set[int]:
        """End all that the last job left running; returns what would not end."""
        if (group := self._group) is not None:
            group.forbid_new_tasks()
            end_all(self.grouped_processes)
        return end_all(self.processes)

    def end(self) -> None:
        """End everything, servers too, and remove what the slot made."""
        end_all(lambda: descendants(os.getpid()))
        self._close_servers()
        if self._group is not None:
            self._group.remove()
        remove_folder(self.folder)

    def _close_servers(self) -> None:
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    def _server_ids(self) -> set[int]:
        return {server.pid for server in self._servers.values()}


def _make_folder() -> Path:
    base = Path(tempfile.gettempdir())
    if len(str(base)) > _LONGEST_FOLDER:
        base = Path("/tmp")  # noqa: S108
    for folder in base.glob(f"{_PREFIX}*"):
        if is_abandoned(folder.name.removeprefix(_PREFIX)):
            remove_folder(folder)
    folder = base / f"{_PREFIX}{owner_tag()}"
    folder.mkdir(mode=0o700)
    return folder
