"""The child's side of a :mod:`verify.worker`: reads requests, runs jobs, answers; ends with its parent.

Runs in a process group of its own, started by :class:`verify.worker.Worker`; imports nothing heavy before a job asks.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

from verify.errors import ErrorJson, InfrastructureError, ToolError
from verify.jsonio import from_jsonable, to_jsonable
from verify.machine_fault import machine_fault

_RESET_PEAK = "5"
"""What to write to ``/proc/self/clear_refs``, see proc(5)."""


OBJECTS_BETWEEN_COLLECTIONS = 200_000
"""Python looks for garbage every 700 new objects; importing and tracing make millions that all stay."""


def serve(request_fd: int, answer_fd: int, lifeline_fd: int, preload: tuple[str, ...]) -> NoReturn:
    """Answer requests until the parent closes its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    faulthandler.enable()
    for fd in (request_fd, answer_fd, lifeline_fd):
        os.set_inheritable(fd, False)
    _end_with_parent(lifeline_fd)
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    for module_name in preload:
        warm(module_name)
    gc.freeze()
    with os.fdopen(request_fd, encoding="utf-8") as requests, os.fdopen(answer_fd, "w", encoding="utf-8") as answers:
        for line in requests:
            _reset_peak_memory()
            started = time.monotonic()
            answer = _perform(json.loads(line))
            answer["seconds"] = time.monotonic() - started
            answer["peak_memory_bytes"] = peak_memory_bytes()
            with contextlib.suppress(OSError):  # the disk of the log may be full
                sys.stdout.flush()
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    os._exit(0)  # frameworks can hang or crash in their exit handlers; everything is written already


def _end_with_parent(lifeline_fd: int) -> None:
    """When the parent goes, however it goes, its end of the lifeline closes and this whole process group is killed.

    Linux does that for us, even inside a long native call that holds the GIL: the pipe's hang-up is a signal to the
    group. (``PR_SET_PDEATHSIG`` would not do: it kills one process of the group, and already when the *thread* that
    started it ends.) Elsewhere a thread waits for the hang-up.
    """
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(lifeline_fd, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline_fd, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline_fd, fcntl.F_SETFL, fcntl.fcntl(lifeline_fd, fcntl.F_GETFL) | os.O_ASYNC)
        if _hung_up(lifeline_fd):
            os.killpg(os.getpgrp(), signal.SIGKILL)
    else:
        threading.Thread(target=_wait_for_hang_up, args=(lifeline_fd,), daemon=True).start()


def _hung_up(fd: int) -> bool:
    import select

    return bool(select.select([fd], [], [], 0)[0])


def _wait_for_hang_up(fd: int) -> None:
    os.read(fd, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def warm(module_name: str) -> None:
    """Import early what a job will want; if that fails, the job says so in its own words."""
    try:
        importlib.import_module(module_name)
    except Exception:
        traceback.print_exc()


def _perform(request: dict[str, Any]) -> dict[str, Any]:
    module_name, _, name = request["job"].partition(":")
    try:
        job = getattr(importlib.import_module(module_name), name)
        hints = get_type_hints(job)
        arguments = {key: from_jsonable(hints[key], value) for key, value in request["arguments"].items()}
        return {"value": to_jsonable(job(**arguments), hints["return"])}
    except BaseException as error:  # a job may run any library: whatever that raises must come back typed
        with contextlib.suppress(OSError):  # the disk of the log may be full
            traceback.print_exc()
        return {"error": _typed(error, request["job"])}


def _typed(error: BaseException, job: str) -> ErrorJson:
    fault = machine_fault(error, job)
    if fault is not None:
        return fault.to_json()
    if isinstance(error, ToolError):
        return error.to_json()
    what = f"{job} failed: {type(error).__name__}: {error}"
    return InfrastructureError(what, fix="the log file has the whole traceback").to_json()


def _reset_peak_memory() -> None:
    """So that each job is told its own peak; where the kernel has no such thing, the peak is the process's so far."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK, encoding="ascii")


def peak_memory_bytes() -> int:
    """The highest resident set of this process, since the last reset if there was one.

    Not ``ru_maxrss`` where it can be helped: across fork and exec that starts at the *parent's* peak.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
