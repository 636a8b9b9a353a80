"""Jobs in a process of their own: warm start, time and memory limits, typed death.

Only paths and JSON cross the boundary. A job is a module-level function with annotated parameters; the caller names it,
the worker imports it, decodes its arguments by their annotations, and answers with its result or its error as JSON.
What the worker's libraries print goes to the log file, whole; nothing of it reaches the caller's terminal.

A worker leads a process group of its own. It ends when told to, when its parent goes away, or when a limit is passed:
then the whole group is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar, cast, get_type_hints

from verify.child import start
from verify.errors import InfrastructureError, OutOfMemory, WorkerDied, error_from_json
from verify.fork_client import LOST_STATUS
from verify.jsonio import from_jsonable, to_jsonable
from verify.limits import FamilyWatch, Limits, Watch

__all__ = ["JobOutcome", "Limits", "Worker"]

P = ParamSpec("P")
R = TypeVar("R")

_POLL_SECONDS = 0.1
_STARTING_SECONDS = 0.005
_DYING_SECONDS = 2.0
"""How long a worker that closed its end may take to be gone."""
_LONGEST_ANSWER_BYTES = 2**28


@dataclass(frozen=True)
class JobOutcome(Generic[R]):
    """What a job gave, how long it took, and the peak resident memory of the worker and its children while it ran."""

    value: R
    seconds: float
    peak_memory_bytes: int


class Worker:
    """A child process that runs jobs one after another. After a death every further job raises the same error.

    ``preload`` names modules to import before the first job, so that a slow import overlaps other work.
    With the socket of a ``fork_server`` the process is forked there, its imports ready. ``watch`` replaces the one that
    keeps ``limits``.
    """

    def __init__(
        self,
        name: str,
        *,
        log_path: Path,
        preload: tuple[str, ...] = (),
        limits: Limits | None = None,
        fork_server: Path | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.name = name
        self.peak_memory_bytes = 0
        self._killed_for: InfrastructureError | None = None
        with log_path.open("ab") as log:
            self._process, self._requests, self._answers, self._lifeline = start(preload, log, fork_server)
        self._watch = watch or FamilyWatch(name, limits or Limits(), log_path)
        self._queue = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"worker-{name}")

    def submit(self, job: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[JobOutcome[R]]:
        """Queue a job. The future raises the job's own typed error, or an ``InfrastructureError``."""
        if args:
            raise TypeError("jobs take keyword arguments only: they cross the boundary by name")
        return self._queue.submit(self._run, job, dict(kwargs))

    def run(self, job: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> JobOutcome[R]:
        """Run a job and wait for it."""
        return self.submit(job, *args, **kwargs).result()

    @property
    def dead(self) -> bool:
        """Whether it died, or was killed for passing a limit."""
        return self._killed_for is not None

    @property
    def pid(self) -> int:
        """The child's process id, which is also its process group; waits until a fork server has made it."""
        while (pid := self._process.pid) is None:
            if self._process.poll() is not None:
                raise WorkerDied(f"the {self.name} worker ended before it began")
            time.sleep(_STARTING_SECONDS)
        return pid

    @property
    def started_pid(self) -> int | None:
        """As :attr:`pid`, but ``None`` while there is none."""
        return self._process.pid

    def close(self) -> None:
        """Let queued jobs finish, then end the process and give its memory back."""
        try:
            self._queue.shutdown(wait=True)
        finally:
            self.kill()

    def kill(self) -> None:
        """End the whole process group now; a running job's future raises ``WorkerDied``, queued ones are cancelled."""
        if self._killed_for is None:
            self._killed_for = WorkerDied(f"the {self.name} worker was stopped")
        if self._process.returncode is None:  # once reaped, its id may be somebody else's
            self._process.kill_group()
        self._process.wait()
        self._queue.shutdown(wait=True, cancel_futures=True)
        self._process.close()
        for stream in (self._requests, self._answers, self._lifeline):
            with contextlib.suppress(OSError):
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.kill()

    def _run(self, job: Callable[..., R], arguments: dict[str, Any]) -> JobOutcome[R]:
        hints = get_type_hints(job)
        name = f"{job.__module__}:{job.__qualname__}"
        encoded = {key: to_jsonable(value, hints.get(key)) for key, value in arguments.items()}
        line, family_peak = b"", 0
        with contextlib.suppress(BrokenPipeError):
            self._requests.write(json.dumps({"job": name, "arguments": encoded}).encode() + b"\n")
            self._requests.flush()
            line, family_peak = self._answer()
        if not line.endswith(b"\n"):
            raise self._death(name)
        try:
            return self._outcome(json.loads(line), hints["return"], family_peak)
        except (ValueError, KeyError, TypeError) as error:  # the job wrote to the pipe itself
            self._killed_for = WorkerDied(f"the {self.name} worker gave an answer to {name} that is none: {error}")
            raise self._death(name) from error

    def _outcome(self, answer: Any, kind: type[R], family_peak: int) -> JobOutcome[R]:
        peak = max(family_peak, int(answer["peak_memory_bytes"]))
        self.peak_memory_bytes = max(self.peak_memory_bytes, peak)
        if "error" in answer:
            raise error_from_json(answer["error"])
        return JobOutcome(from_jsonable(kind, answer["value"]), float(answer["seconds"]), peak)

    def _answer(self) -> tuple[bytes, int]:
        """One line from the worker and the peak memory sampled meanwhile; a part of it if the worker ends first."""
        received, peak = bytearray(), 0
        started = looked = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while not received.endswith(b"\n") and self._killed_for is None:
                readable = selector.select(max(0.0, looked + _POLL_SECONDS - time.monotonic()))
                if readable:
                    chunk = os.read(self._answers.fileno(), 2**16)
                    if not chunk:
                        break
                    received += chunk
                elif self._process.poll() is not None:  # a process that it left behind may hold the pipe open
                    break
                if time.monotonic() >= looked + _POLL_SECONDS:
                    looked = time.monotonic()
                    usage = self._watch(self._process.pid, looked - started)
                    peak = max(peak, usage.memory_bytes)
                    self._killed_for = self._killed_for or usage.passed or self._too_long(received)
        return bytes(received), peak

    def _too_long(self, received: bytearray) -> InfrastructureError | None:
        if len(received) <= _LONGEST_ANSWER_BYTES:
            return None
        return WorkerDied(f"the {self.name} worker's answer is longer than {_LONGEST_ANSWER_BYTES} bytes")

    def _death(self, job: str) -> InfrastructureError:
        """Why there is no answer; whatever is left of the process group is killed."""
        if self._killed_for is None:
            self._killed_for = self._cause(self._process.wait(_DYING_SECONDS), job)
        self._process.kill_group()
        self._process.wait()
        return cast("InfrastructureError", error_from_json(self._killed_for.to_json()))

    def _cause(self, status: int | None, job: str) -> InfrastructureError:
        if status == -signal.SIGKILL:
            return OutOfMemory(
                f"the {self.name} worker was killed while it ran {job}; the kernel does that when memory runs out",
                fix="close other programs, use a machine with more memory, or a smaller model",
            )
        if status is None:
            how = "stopped answering"
        elif status == LOST_STATUS:
            how = "lost the process that it was forked from"
        elif status < 0:
            how = f"ended by signal {signal.Signals(-status).name}"
        else:
            how = f"ended by exit status {status}"
        return WorkerDied(
            f"the {self.name} worker {how} while it ran {job}",
            fix="the log file has its last words; if the model is your own, report it with that log",
            signal=-status if status is not None and status < 0 else None,
        )
