"""Jobs for the tests of the Ray engine; their bodies run in a wrapper's child, wherever Ray put it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from convert.hosts import WarmHosts
from convert.zoo.job import GIB, Job, JobLimits, ModelTask, Source, SourceKind
from convert.zoo.result import Conversion, JobResult, Outcome
from convert.zoo.store import open_store

Body = Callable[[Job, WarmHosts, Path], Conversion]


def write_name(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    """Put a file with the job's name into the store, after a moment in which its machine may be lost."""
    _tell_process(job)
    time.sleep(0.4)
    made = scratch / "name.txt"
    made.write_text(job.id, encoding="ascii")
    file = open_store(job.store).put_file(made, "name.txt")
    return Conversion(Outcome.OK, f"I am {job.id}", files=(file,))


def sleep_long(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    _tell_process(job)
    time.sleep(300)
    return Conversion(Outcome.OK, "slept")


def kill_ray_worker(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    """End the Ray worker above the wrapper, as a machine's kernel may when memory runs out."""
    _tell_process(job)
    worker = next(parent for parent in psutil.Process().parents() if parent.name().startswith("ray::"))
    os.kill(worker.pid, signal.SIGKILL)
    time.sleep(300)
    return Conversion(Outcome.OK, "survived")


def make_job(name: str, folder: Path, body: Body = write_name) -> Job:
    return Job(
        id=name,
        key=f"key-of-{name}",
        task=ModelTask(Source(SourceKind.FILE, "none.pth"), name),
        folder=folder,
        scratch=folder / "scratch",
        store=str(folder / "store"),
        limits=JobLimits(timeout_s=120.0, memory_bytes=GIB),
        body=f"{body.__module__}:{body.__name__}",
    )


def process_of(job: Job) -> psutil.Process | None:
    """The process that runs the job's body now."""
    try:
        return psutil.Process(int(_process_file(job).read_text(encoding="ascii")))
    except (OSError, ValueError, psutil.Error):
        return None


def stored_text(result: JobResult, folder: Path) -> str:
    """The text of the one file that :func:`write_name` put into the store."""
    assert result.conversion is not None, result
    (file,) = result.conversion.files
    target = folder / f"{result.id}.txt"
    open_store(str(folder / "store")).get_file(file, target)
    return target.read_text(encoding="ascii")


def _tell_process(job: Job) -> None:
    _process_file(job).write_text(str(os.getpid()), encoding="ascii")


def _process_file(job: Job) -> Path:
    return job.folder / f"{job.id}.pid"
