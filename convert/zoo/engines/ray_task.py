"""What runs inside a Ray worker: a job handed to a wrapper process that lives as long as the worker does.

Ray runs one task after another in a worker process, so the wrapper and its fork servers stay warm between jobs. The
wrapper reads its requests from a pipe that only the worker holds: however the worker ends, killed too, the pipe closes
and the wrapper ends with everything under it. No code of a model runs in the worker itself.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from convert.zoo.engines.base import Finished
from convert.zoo.engines.owned_folder import owned_folder
from convert.zoo.engines.ray_messages import Errand, software
from convert.zoo.files import read_result, result_path, write_job
from convert.zoo.job import Job
from convert.zoo.result import JobResult, Outcome
from verify.jsonio import from_jsonable, to_jsonable


def perform(errand_json: str) -> str:
    """Run an ``Errand``; returns the ``Finished`` as JSON. What the job made is in its store already."""
    errand: Errand = from_jsonable(Errand, json.loads(errand_json))
    differing = _differing(errand.software)
    finished = _refused(errand.job, differing) if differing else _run(errand)
    return json.dumps(to_jsonable(finished))


@dataclass(frozen=True)
class _Wrapper:
    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    answers: IO[bytes]

    def run(self, job: Path, result: Path) -> bool:
        """Whether it answered; without an answer it is gone."""
        try:
            self.requests.write(json.dumps({"job": str(job), "result": str(result)}).encode() + b"\n")
            self.requests.flush()
        except BrokenPipeError:
            return False
        return self.answers.readline().endswith(b"\n")


@functools.cache
def _wrapper(cold: bool) -> _Wrapper:
    """This worker's wrapper, started for its first job. What it prints goes where Ray keeps the worker's own output."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "convert.zoo.wrapper", "--serve", *(["--cold"] if cold else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=environment_without_ray(os.environ),
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("asked for pipes")
    return _Wrapper(process, process.stdin, process.stdout)


@functools.cache
def _folder(parent: Path | None) -> Path:
    """Where this worker's jobs find their files."""
    return owned_folder(parent or Path(tempfile.gettempdir()), "zoo-worker-")


def environment_without_ray(environment: Mapping[str, str]) -> dict[str, str]:
    """The machine's own environment, without what Ray adds for its workers.

    Ray sets ``OMP_NUM_THREADS`` to a task's cores: sums would be split otherwise than under the local engine, and
    results differ in their last bits.
    """
    added = {"OMP_NUM_THREADS", "PYTHONBREAKPOINT", "SPT_NOENV"}
    return {name: value for name, value in environment.items() if name not in added and not name.startswith("RAY_")}


def _run(errand: Errand) -> Finished:
    wrapper = _wrapper(errand.cold)
    folder = _folder(errand.folder) / "job"
    try:
        job = on_this_machine(errand.job)
        result = result_path(folder, job.id)
        if wrapper.run(write_job(job, folder), result):
            return Finished(job.id, read_result(result))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _wrapper.cache_clear()
    how = f"its wrapper on {platform.node()} ended with status {wrapper.process.wait()}"
    return Finished(errand.job.id, None, lost=how)


def on_this_machine(job: Job) -> Job:
    """The job; with a scratch folder of this machine's own where the planned one has no place."""
    if job.scratch.is_dir() or job.scratch.parent.is_dir():
        return job
    return replace(job, scratch=Path(tempfile.gettempdir()) / "zoo-scratch")


@functools.cache
def _differing(planned: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """What is not here as it was where the job got its key."""
    here = dict(software())
    return tuple(
        f"{name} {here.get(name, 'not installed')} instead of {version}"
        for name, version in planned
        if here.get(name) != version
    )


def _refused(job: Job, differing: tuple[str, ...]) -> Finished:
    result = JobResult(
        id=job.id,
        key=job.key,
        outcome=Outcome.INFRASTRUCTURE,
        what=f"{platform.node()} has {', '.join(differing)}",
        fix="install the same versions on every machine of the cluster",
        limits=job.limits,
        attempts=job.attempt,
        host=platform.node(),
    )
    return Finished(job.id, result)
