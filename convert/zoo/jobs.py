"""From planned models to jobs: every input hashed, every result addressed by its content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from convert.zoo.job import Job
from convert.zoo.keys import OneLook, job_key
from convert.zoo.plan import PlannedModel, Zoo
from convert.zoo.result import JobResult, Outcome
from convert.zoo.sources import HashMemo, source_key
from verify.errors import InputError, ToolError


def make_jobs(zoo: Zoo, *, store: str, scratch: Path, hashes: HashMemo) -> Iterator[Job | JobResult]:
    """A job for every model, in the manifest's order; for one whose input cannot be read, the result that says so."""
    shared = OneLook(hashes)
    for model in zoo.models:
        try:
            source = source_key(model.task.source, zoo.folder, hashes)
            key = job_key(model.task, source, zoo.folder, shared)
            yield _job(model, zoo.folder, source=source, key=key, store=store, scratch=model.scratch or scratch)
        except ToolError as error:
            outcome = Outcome.BAD_INPUT if isinstance(error, InputError) else Outcome.INFRASTRUCTURE
            yield JobResult(
                model.id, "", outcome, what=error.what, fix=error.fix, context=error.context, limits=model.limits
            )


def _job(model: PlannedModel, folder: Path, *, source: str, key: str, store: str, scratch: Path) -> Job:
    return Job(
        id=model.id,
        key=key,
        task=model.task,
        folder=folder,
        scratch=scratch,
        store=store,
        source_key=source,
        limits=model.limits,
        cores=model.cores,
    )
