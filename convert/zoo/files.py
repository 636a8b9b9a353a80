"""Job and result files: where they lie in a jobs folder, and how they are read and written."""

from __future__ import annotations

import json
from pathlib import Path

from convert.zoo.job import Job
from convert.zoo.result import JobResult
from verify.atomic import write_text
from verify.errors import InputError
from verify.jsonio import from_jsonable, to_jsonable


def job_path(jobs_folder: Path, job_id: str) -> Path:
    """``<jobs_folder>/<id>/job.json``."""
    return jobs_folder / job_id / "job.json"


def result_path(jobs_folder: Path, job_id: str) -> Path:
    """``<jobs_folder>/<id>/result.json``."""
    return jobs_folder / job_id / "result.json"


def write_job(job: Job, jobs_folder: Path) -> Path:
    """Write the job's file, whole or not at all, and remove the result of an earlier one."""
    path = job_path(jobs_folder, job.id)
    result_path(jobs_folder, job.id).unlink(missing_ok=True)
    write_text(path, json.dumps(to_jsonable(job), indent=1))
    return path


def read_job(path: Path) -> Job:
    """The job in a file; raises ``InputError`` when it is none."""
    try:
        return from_jsonable(Job, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} is no job: {error}", fix="write job files with convert zoo plan") from error


def write_result(result: JobResult, path: Path) -> None:
    """Write a result's file, whole or not at all."""
    write_text(path, json.dumps(to_jsonable(result), indent=1))


def read_result(path: Path) -> JobResult:
    """The result in a file; raises ``InputError`` when it is none."""
    try:
        return from_jsonable(JobResult, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} is no job's result: {error}", fix="run the job again") from error


def last_result(jobs_folder: Path, job_id: str) -> JobResult | None:
    """What a job of that name came to last time; ``None`` when it never ended, or a newer tool cannot read it."""
    try:
        return read_result(result_path(jobs_folder, job_id))
    except InputError:
        return None
