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
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Generic, NamedTuple, ParamSpec, Self, TypeVar, cast, get_type_hints

from verify.errors import (
    InfrastructureError,
    OutOfMemory,
    TimeLimitExceeded,
    WorkerDied,
    error_from_json,
)
from verify.jsonio import from_jsonable, to_jsonable

P = ParamSpec("P")
R = TypeVar("R")

_POLL_SECONDS = 0.1
_DYING_SECONDS = 2.0
"""How long a worker that closed its end may take to be gone."""

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from verify.worker_process import serve; "
    "serve(*map(int, sys.argv[2:5]), preload=tuple(sys.argv[5:]))"
)
"""With our own ``sys.path`` and ``-P``: a ``numpy.py`` in the folder that we happen to stand in is not imported."""


@dataclass(frozen=True)
class Limits:
    """What one job may use. ``None`` is no limit. Memory is the resident set of the worker and its children."""

    timeout_s: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class JobOutcome(Generic[R]):
    """What a job gave, how long it took, and the peak resident memory of the worker and its children while it ran."""

    value: R
    seconds: float
    peak_memory_bytes: int


class _Child(NamedTuple):
    """A process and our ends of its three pipes. Nothing is ever written to the lifeline: its end tells of ours."""

    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    answers: IO[bytes]
    lifeline: IO[bytes]


class Worker:
    """A child process that runs jobs one after another. After a death every further job raises the same error.

    ``preload`` names modules to import before the first job, so that a slow import overlaps other work.
    """

    def __init__(
        self,
        name: str,
        *,
        log_path: Path,
        preload: tuple[str, ...] = (),
        limits: Limits | None = None,
    ) -> None:
        self.name = name
        self.peak_memory_bytes = 0
        self._limits = limits or Limits()
        self._killed_for: InfrastructureError | None = None
        with log_path.open("ab") as log:
            self._process, self._requests, self._answers, self._lifeline = _start(preload, log)
        self._queue = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"worker-{name}")

    def submit(self, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[JobOutcome[R]]:
        """Queue a job. The future raises the job's own typed error, or an ``InfrastructureError``."""
        if args:
            raise TypeError("jobs take keyword arguments only: they cross the boundary by name")
        return self._queue.submit(self._run, job, dict(kwargs))

    def run(self, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> JobOutcome[R]:
        """Run a job and wait for it."""
        return self.submit(job, *args, **kwargs).result()

    @property
    def pid(self) -> int:
        """The child's process id, which is also its process group."""
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
            self._kill_group()
        self._process.wait()
        self._queue.shutdown(wait=True, cancel_futures=True)
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
        answer = json.loads(line)
        peak = max(family_peak, int(answer["peak_memory_bytes"]))
        self.peak_memory_bytes = max(self.peak_memory_bytes, peak)
        if "error" in answer:
            raise error_from_json(answer["error"])
        value = cast("R", from_jsonable(hints["return"], answer["value"]))
        return JobOutcome(value, float(answer["seconds"]), peak)

    def _answer(self) -> tuple[bytes, int]:
        """One line from the worker and the peak memory sampled meanwhile; a part of it if the worker ends first."""
        received, peak = bytearray(), 0
        started = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while not received.endswith(b"\n"):
                if selector.select(_POLL_SECONDS):
                    chunk = os.read(self._answers.fileno(), 2**16)
                    if not chunk:
                        break
                    received += chunk
                elif self._process.poll() is not None:  # a process that it left behind may hold the pipe open
                    break
                else:
                    used = resident_bytes(self._process.pid)
                    peak = max(peak, used)
                    self._killed_for = self._killed_for or self._passed_limit(time.monotonic() - started, used)
                    if self._killed_for is not None:
                        break
        return bytes(received), peak

    def _passed_limit(self, elapsed_s: float, used_bytes: int) -> InfrastructureError | None:
        if self._limits.timeout_s is not None and elapsed_s > self._limits.timeout_s:
            return TimeLimitExceeded(
                f"the {self.name} worker ran longer than its limit of {self._limits.timeout_s:g} s",
                fix="give it more with --timeout, or use a smaller input size",
            )
        if self._limits.memory_bytes is not None and used_bytes > self._limits.memory_bytes:
            return OutOfMemory(
                f"the {self.name} worker used {used_bytes / 2**30:.1f} GiB, over its limit of "
                f"{self._limits.memory_bytes / 2**30:.1f} GiB",
                fix="give it more with --memory-limit, or use a machine with more memory",
            )
        return None

    def _death(self, job: str) -> InfrastructureError:
        """Why there is no answer; whatever is left of the process group is killed."""
        if self._killed_for is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=_DYING_SECONDS)
            self._killed_for = self._cause(self._process.poll(), job)
        self._kill_group()
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
        elif status < 0:
            how = f"ended by signal {signal.Signals(-status).name}"
        else:
            how = f"ended by exit status {status}"
        return WorkerDied(
            f"the {self.name} worker {how} while it ran {job}",
            fix="the log file has its last words; if the model is your own, report it with that log",
        )

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


_QUIET_LIBRARIES = {
    "TF_CPP_MIN_LOG_LEVEL": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_USE_LEGACY_KERAS": "1",
    "PYTHONUNBUFFERED": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}
"""For the child only: no GPU, plain TensorFlow kernels (oneDNN reorders sums), and the Keras that onnx2tf needs.

Waiting threads sleep: on busy cores torch's spinning ones cost MobileNetV2's reference run 6.5 s instead of 0.5.
"""


def _start(preload: tuple[str, ...], log: IO[bytes]) -> _Child:
    request_read, request_write = os.pipe()
    answer_read, answer_write = os.pipe()
    lifeline_read, lifeline_write = os.pipe()
    theirs = (request_read, answer_write, lifeline_read)
    requests = os.fdopen(request_write, "wb")
    answers = os.fdopen(answer_read, "rb", buffering=0)
    lifeline = os.fdopen(lifeline_write, "wb")
    path = json.dumps([entry for entry in sys.path if isinstance(entry, str)])
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, path, *map(str, theirs), *preload],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=theirs,
            start_new_session=True,
            env={**os.environ, **_QUIET_LIBRARIES},
        )
    except BaseException:
        for stream in (requests, answers, lifeline):
            stream.close()
        raise
    finally:
        for fd in theirs:
            os.close(fd)
    return _Child(process, requests, answers, lifeline)


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and all its children; 0 when it is gone."""
    import psutil

    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for member in family:
        with contextlib.suppress(psutil.Error):
            total += int(member.memory_info().rss)
    return total
