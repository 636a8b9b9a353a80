"""Jobs in a process of their own: warm start, time and memory limits, typed death.

Only paths and JSON cross the boundary. A job is a module-level function with annotated parameters; the caller names it,
the worker imports it, decodes its arguments by their annotations, and answers with its result or its error as JSON.
What the worker's libraries print goes to the log file, whole; nothing of it reaches the caller's terminal.

A worker leads a process group of its own. It ends when told to, when its parent goes away, or when a limit is passed:
then the whole group is killed.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar, cast, get_type_hints

from verify.errors import (
    InfrastructureError,
    OutOfMemory,
    TimeLimitExceeded,
    ToolError,
    WorkerDied,
    error_from_json,
)
from verify.jsonio import from_jsonable, to_jsonable

P = ParamSpec("P")
R = TypeVar("R")

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Limits:
    """What one job may use. ``None`` is no limit. Memory is the resident set of the worker and its children."""

    timeout_s: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class JobOutcome(Generic[R]):
    """What a job gave, how long it took, and the worker's peak resident memory so far."""

    value: R
    seconds: float
    peak_memory_bytes: int


class Worker:
    """A child process that runs jobs one after another.

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
        self._limits = limits or Limits()
        self._log = log_path.open("ab")
        request_read, request_write = os.pipe()
        answer_read, answer_write = os.pipe()
        arguments = [str(request_read), str(answer_write), str(os.getpid()), *preload]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "verify.worker", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=(request_read, answer_write),
            start_new_session=True,
            env={**os.environ, **_QUIET_LIBRARIES},
        )
        os.close(request_read)
        os.close(answer_write)
        self._requests = os.fdopen(request_write, "w", encoding="utf-8")
        self._answers = os.fdopen(answer_read, "r", encoding="utf-8")
        self._queue = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"worker-{name}")
        self._killed_for: ToolError | None = None
        self.peak_memory_bytes = 0

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
        self._queue.shutdown(wait=True)
        with contextlib.suppress(OSError):
            self._requests.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
        self._release()

    def kill(self) -> None:
        """End the whole process group now; a running job's future raises ``WorkerDied``."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._queue.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.kill()
            self._release()

    def _release(self) -> None:
        for stream in (self._requests, self._answers, self._log):
            with contextlib.suppress(OSError):
                stream.close()

    def _run(self, job: Callable[..., R], arguments: dict[str, Any]) -> JobOutcome[R]:
        hints = get_type_hints(job)
        request = {
            "job": f"{job.__module__}:{job.__qualname__}",
            "arguments": {key: to_jsonable(value, hints.get(key)) for key, value in arguments.items()},
        }
        done = threading.Event()
        watchdog = threading.Thread(target=self._watch, args=(done,), daemon=True)
        watchdog.start()
        started = time.monotonic()
        try:
            self._requests.write(json.dumps(request) + "\n")
            self._requests.flush()
            line = self._answers.readline()
        except (OSError, ValueError):
            line = ""
        finally:
            done.set()
        if not line:
            raise self._death(request["job"])
        answer = json.loads(line)
        self.peak_memory_bytes = max(self.peak_memory_bytes, int(answer["peak_memory_bytes"]))
        if "error" in answer:
            raise error_from_json(answer["error"])
        value = cast("R", from_jsonable(hints["return"], answer["value"]))
        return JobOutcome(value, time.monotonic() - started, int(answer["peak_memory_bytes"]))

    def _watch(self, done: threading.Event) -> None:
        if self._limits.timeout_s is None and self._limits.memory_bytes is None:
            return
        started = time.monotonic()
        while not done.wait(_POLL_SECONDS):
            used = resident_bytes(self._process.pid)
            self.peak_memory_bytes = max(self.peak_memory_bytes, used)
            if self._limits.timeout_s is not None and time.monotonic() - started > self._limits.timeout_s:
                self._killed_for = TimeLimitExceeded(
                    f"the {self.name} worker ran longer than its limit of {self._limits.timeout_s:g} s",
                    fix="give it more with --timeout, or use a smaller input size",
                )
            elif self._limits.memory_bytes is not None and used > self._limits.memory_bytes:
                self._killed_for = OutOfMemory(
                    f"the {self.name} worker used {used / 2**30:.1f} GiB, over its limit of "
                    f"{self._limits.memory_bytes / 2**30:.1f} GiB",
                    fix="give it more with --memory-limit, or use a machine with more memory",
                )
            if self._killed_for is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                return

    def _death(self, job: str) -> InfrastructureError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        if self._killed_for is not None:
            return cast("InfrastructureError", self._killed_for)
        code = self._process.returncode
        if code == -signal.SIGKILL:
            return OutOfMemory(
                f"the {self.name} worker was killed while it ran {job}; the kernel does that when memory runs out",
                fix="close other programs, use a machine with more memory, or a smaller model",
            )
        how = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit status {code}"
        return WorkerDied(
            f"the {self.name} worker ended by {how} while it ran {job}",
            fix="the log file has its last words; if the model is your own, report it with that log",
        )


_QUIET_LIBRARIES = {
    "TF_CPP_MIN_LOG_LEVEL": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_USE_LEGACY_KERAS": "1",
    "PYTHONUNBUFFERED": "1",
}
"""For the child only: no GPU, plain TensorFlow kernels (oneDNN reorders sums), the Keras that onnx2tf is written for."""


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


def _peak_memory_bytes() -> int:
    import resource

    factor = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * factor


def _perform(request: dict[str, Any]) -> dict[str, Any]:
    module_name, _, name = request["job"].partition(":")
    try:
        job = getattr(importlib.import_module(module_name), name)
        hints = get_type_hints(job)
        arguments = {key: from_jsonable(hints[key], value) for key, value in request["arguments"].items()}
        return {"value": to_jsonable(job(**arguments), hints["return"])}
    except ToolError as error:
        _log_traceback()
        return {"error": error.to_json()}
    except MemoryError as error:
        _log_traceback()
        return {"error": OutOfMemory(f"out of memory: {error}", fix="use a machine with more memory").to_json()}
    except (Exception, SystemExit) as error:  # a job may run any library: whatever it does must come back typed
        _log_traceback()
        what = f"{request['job']} failed: {type(error).__name__}: {error}"
        return {"error": InfrastructureError(what, fix="the log file has the whole traceback").to_json()}


def _log_traceback() -> None:
    import traceback

    traceback.print_exc(file=sys.stderr)


def _end_with_parent(parent_pid: int) -> None:
    """Linux: ask the kernel to kill us when the parent dies, even inside a long native call."""
    if sys.platform != "linux":
        return
    import ctypes

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


def _serve(request_fd: int, answer_fd: int, parent_pid: int, preload: tuple[str, ...]) -> None:
    _end_with_parent(parent_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module_name in preload:
        importlib.import_module(module_name)
    with os.fdopen(request_fd, encoding="utf-8") as requests, os.fdopen(answer_fd, "w", encoding="utf-8") as answers:
        for line in requests:
            answer = _perform(json.loads(line))
            answer["peak_memory_bytes"] = _peak_memory_bytes()
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    sys.stderr.flush()
    os._exit(0)  # frameworks can hang or crash in their exit handlers; everything is written already


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), tuple(sys.argv[4:]))
