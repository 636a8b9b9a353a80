"""Jobs on a Ray cluster: one task a job, our wrapper inside it. What jobs make goes through the shared store."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import selectors
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from convert.zoo.engines.base import Finished
from convert.zoo.engines.ray_messages import (
    SLOT_RESERVE_BYTES,
    Demand,
    DriverOptions,
    Machine,
    Message,
    as_line,
    demand_of,
)
from convert.zoo.files import write_job
from convert.zoo.job import Job
from verify.errors import InfrastructureError, MissingDependency
from verify.jsonio import from_jsonable, to_jsonable

AHEAD = 2.0
"""How much is given to Ray at once, in clusters full: it always has something to place, and never the whole zoo."""

_CONNECT_SECONDS = 120.0
_LEAVING_SECONDS = 40.0
_CHUNK_BYTES = 1 << 20


@dataclass
class RayEngine:
    """Runs jobs on the cluster at ``address`` (``auto``, ``host:port``), or on a local one that it starts and ends.

    ``slots`` (cores) and ``memory_bytes`` are the local cluster's; another says itself what it has. ``jobs_folder``
    gets ``<id>/job.json`` and ``ray.log``. ``held_open`` are file descriptors that live until the last task has ended,
    as a lock that outlasts a killed scheduler. Entering raises ``MissingDependency`` without Ray, and
    ``InfrastructureError`` when no cluster answers; :meth:`wait` raises it when the cluster's head goes away.
    """

    jobs_folder: Path
    slots: int
    memory_bytes: int
    address: str | None = None
    cold: bool = False
    held_open: tuple[int, ...] = ()
    stranded_s: float = 300.0
    """How long a job may wait for a machine large enough, after the last such went away: an autoscaler's time."""
    _process: subprocess.Popen[bytes] | None = None
    _running: dict[str, Demand] = field(default_factory=dict)
    _given_cores: float = 0.0
    _given_bytes: int = 0
    _machines: tuple[Machine, ...] = ()
    _largest_bytes: float = 0.0
    _unread: bytes = b""

    @property
    def log_path(self) -> Path:
        """What Ray and the process that talks to it print."""
        return self.jobs_folder / "ray.log"

    @property
    def largest_job_bytes(self) -> int:
        """The memory of the largest machine seen so far, which may come back; less what its wrapper holds."""
        return int(self._largest_bytes) - SLOT_RESERVE_BYTES

    def accepts(self, job: Job) -> bool:
        """Whether Ray has less before it than ``AHEAD`` clusters full."""
        if not self._running:
            return True
        demand = demand_of(job, self._machines)
        cores = sum(machine.cores for machine in self._machines)
        memory = sum(machine.memory_bytes for machine in self._machines)
        return (
            self._given_cores + demand.cores <= AHEAD * cores
            and self._given_bytes + demand.memory_bytes <= AHEAD * memory
        )

    def start(self, job: Job) -> None:
        """Give the job to Ray."""
        write_job(job, self.jobs_folder)
        demand = self._running[job.id] = demand_of(job, self._machines)
        self._given_cores += demand.cores
        self._given_bytes += demand.memory_bytes
        requests, _ = self._pipes()
        with contextlib.suppress(BrokenPipeError):  # a dead driver shows as the end of its answers
            requests.write(as_line(job))
            requests.flush()

    def wait(self, timeout_s: float) -> Sequence[Finished]:
        """Jobs that ended since the last call; waits for something to happen at most so long."""
        ended = [message.finished for message in self._read(timeout_s) if message.finished is not None]
        for each in ended:
            demand = self._running.pop(each.id)
            self._given_cores -= demand.cores
            self._given_bytes -= demand.memory_bytes
        return ended

    def __enter__(self) -> Self:
        if importlib.util.find_spec("ray") is None:
            raise MissingDependency(
                "the ray engine needs Ray, which is not installed", fix="pip install 'pth2tflite[ray]'"
            )
        try:
            self._process = self._start_driver()
            self._await_machines()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave()

    def _start_driver(self) -> subprocess.Popen[bytes]:
        self.jobs_folder.mkdir(parents=True, exist_ok=True)
        options = DriverOptions(self.address, self.slots, self.memory_bytes, self.cold, self.stranded_s)
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "convert.zoo.engines.ray_driver", json.dumps(to_jsonable(options))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                pass_fds=self.held_open,
                env=_environment(os.environ, starts_a_cluster=self.address is None),
            )

    def _await_machines(self) -> None:
        deadline = time.monotonic() + _CONNECT_SECONDS
        while not self._machines:
            if time.monotonic() > deadline:
                raise InfrastructureError(
                    f"Ray did not answer within {_CONNECT_SECONDS:.0f} s", fix=f"its log is {self.log_path}"
                )
            self._read(deadline - time.monotonic())

    def _read(self, timeout_s: float) -> list[Message]:
        """What the driver has said since; waits for something at most so long. Raises what it could not get over."""
        _, answers = self._pipes()
        with selectors.DefaultSelector() as selector:
            selector.register(answers, selectors.EVENT_READ)
            if not selector.select(max(0.0, timeout_s)):
                return []
        chunk = os.read(answers.fileno(), _CHUNK_BYTES)
        if not chunk:
            raise InfrastructureError(
                "the connection to the Ray cluster was lost; jobs that had ended are kept",
                fix=f"see that the cluster's head runs, then run the same command again; Ray's log is {self.log_path}",
            )
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        messages: list[Message] = [from_jsonable(Message, json.loads(line)) for line in lines]
        for message in messages:
            self._take_note(message)
        return messages

    def _take_note(self, message: Message) -> None:
        if message.refusal is not None:
            raise InfrastructureError(message.refusal.what, fix=message.refusal.fix)
        if message.machines is not None:
            self._machines = message.machines
            self._largest_bytes = max([self._largest_bytes, *(machine.memory_bytes for machine in message.machines)])

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("use the engine as a context manager")
        return self._process.stdin, self._process.stdout

    def _leave(self) -> None:
        """The end of its requests makes the driver cancel what runs and end what it started; then it leaves."""
        if self._process is None:
            return
        requests, answers = self._pipes()
        with contextlib.suppress(BrokenPipeError):
            requests.close()
        try:
            self._process.wait(_LEAVING_SECONDS)
        except BaseException:  # a second Ctrl-C too
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        answers.close()
        self._process = None


def _environment(ours: Mapping[str, str], *, starts_a_cluster: bool) -> dict[str, str]:
    """For the driver: our import path, and for a cluster of our own, nobody else on it and nothing told to anybody.

    A token of its own keeps other users of the machine off, and Ray from writing one to the user's home.
    """
    environment = {**ours, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    if starts_a_cluster:
        environment |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid.uuid4().hex}
        environment.pop("RAY_ADDRESS", None)
    return environment
