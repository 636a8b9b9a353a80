"""Jobs for test_worker.py: everything that a job can do to its worker."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from verify.artifact import Format
from verify.errors import OutOfMemory, SamplesInvalid
from verify.samples import InputSpec


def echo(spec: InputSpec, kind: Format, path: Path) -> tuple[InputSpec, Format, Path]:
    return spec, kind, path


def add(left: int, right: int) -> int:
    return left + right


def shout() -> int:
    print("python says")
    os.write(1, b"stdout says\n")
    os.write(2, b"stderr says\n")
    subprocess.run([sys.executable, "-c", "print('grandchild says')"], check=True)
    return os.getpid()


def refuse() -> None:
    raise SamplesInvalid("seven samples, expected eight", fix="give one more").within("stage: int8")


def fail() -> None:
    raise ValueError("odd shape")


def leave(status: int) -> None:
    sys.exit(status)


def interrupt() -> None:
    raise KeyboardInterrupt


def vanish(status: int) -> None:
    os._exit(status)


def abort() -> None:
    os.abort()


def crash() -> None:
    ctypes.string_at(0)


def be_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def go_quiet() -> None:
    """Close every pipe and go on living."""
    os.closerange(3, 64)
    time.sleep(600)


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def hold_the_gil(started: Path) -> None:
    """A native call that never lets Python run again."""
    started.write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(600)


def spawn_and_sleep(pids: Path) -> None:
    child = subprocess.Popen(["sleep", "600"])
    pids.write_text(f"{os.getpid()} {child.pid}")
    time.sleep(600)


def fork_and_abort(pids: Path) -> None:
    """Leave a forked child behind that holds every file descriptor open."""
    child = os.fork()
    if child == 0:
        time.sleep(600)
    pids.write_text(f"{os.getpid()} {child}")
    os.abort()


def spawn_and_return() -> int:
    return subprocess.Popen(["sleep", "600"]).pid


def hold(megabytes: int, seconds: float) -> int:
    held = bytearray(os.urandom(1 << 20) * megabytes)
    time.sleep(seconds)
    return len(held)


def hold_in_a_child(megabytes: int, seconds: float) -> None:
    code = f"import os, time; held = bytearray(os.urandom(1 << 20) * {megabytes}); time.sleep({seconds})"
    subprocess.run([sys.executable, "-c", code], check=True)


def run_out() -> None:
    raise MemoryError("no room for 12 GiB")


def long_answer(length: int) -> str:
    return "ä" * length


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def imported_from(module: str) -> str:
    return str(__import__(module).__file__)


def typed_out_of_memory() -> None:
    raise OutOfMemory("the graph needs 40 GiB", fix="use less")
