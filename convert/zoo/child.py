"""What a job's own process does: stand where the job wants to stand, and run its body."""

from __future__ import annotations

import importlib
import os
import tempfile
from pathlib import Path

from convert.hosts import WarmHosts
from convert.zoo.job import Job
from convert.zoo.result import Conversion
from verify.errors import InputError


def run_body(job: Job, warm: WarmHosts, scratch: Path, temporary: Path, join: tuple[Path, ...]) -> Conversion:
    """Job of a worker: call ``job.body`` with the job's folder as the current one, and ``temporary`` for ``/tmp``.

    ``join`` are ``cgroup.procs`` files of the groups it is to be in. Raises whatever the body raises.
    """
    for group in join:
        group.write_text("0")
    os.environ |= {"TMPDIR": str(temporary), **thread_environment(job.cores)}
    tempfile.tempdir = None
    try:
        os.chdir(job.folder)
    except OSError as error:
        raise InputError(f"the job's folder {job.folder} cannot be entered: {error.strerror}") from error
    module, _, name = job.body.partition(":")
    conversion: Conversion = getattr(importlib.import_module(module), name)(job, warm, scratch)
    return conversion


def thread_environment(cores: int) -> dict[str, str]:
    """The threads of everything a job starts: as many as its cores, on every machine.

    How torch splits its sums depends on it, and so do the last bits of a result.
    """
    return {"OMP_NUM_THREADS": str(cores)}
