"""Bodies of jobs for the tests of the Ray engine: they run in a wrapper's child, wherever Ray put it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from convert.hosts import WarmHosts
from convert.zoo.job import Job
from convert.zoo.result import Conversion, Outcome
from convert.zoo.store import open_store


def write_name(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    """Put a file with the job's name into the store, after a moment in which the machine may be lost."""
    time.sleep(0.4)
    scratch.mkdir(parents=True, exist_ok=True)
    made = scratch / "name.txt"
    made.write_text(job.id, encoding="ascii")
    file = open_store(job.store).put_file(made, "name.txt")
    return Conversion(Outcome.OK, f"I am {job.id}", files=(file,))


def sleep_long(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    time.sleep(300)
    return Conversion(Outcome.OK, "slept")


def kill_ray_worker(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    """End the Ray worker above the wrapper, as a machine's kernel may when memory runs out."""
    import psutil

    worker = next(parent for parent in psutil.Process().parents() if parent.name().startswith("ray::"))
    os.kill(worker.pid, signal.SIGKILL)
    time.sleep(300)
    return Conversion(Outcome.OK, "survived")
