"""From planned models to jobs: every input hashed, every result addressed by its content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from convert.zoo.job import Job
from convert.zoo.keys import job_key
from convert.zoo.plan import PlannedModel, Zoo
from convert.zoo.result import JobResult, Outcome
from convert.zoo.sources import HashMemo, source_key
from verify.errors import InputError, ToolError


def make_jobs(zoo: Zoo, *, store: str, scratch: Path, hashes: HashMemo) -> Iterator[Job | JobResult]:
    """A job for every model, in the manifest's order; for one whose input cannot be read, the result that says so."""
    for model in zoo.models:
        try:
            yield _job(model, zoo.folder, store, model.scratch or scratch, hashes)
        except ToolError as error:
            outcome = Outcome.BAD_INPUT if isinstance(error, InputError) else Outcome.INFRASTRUCTURE
            yield JobResult(
                model.id, "", outcome, what=error.what, fix=error.fix, context=error.context, limits=model.limits
            )


def _job(model: PlannedModel, folder: Path, store: str, scratch: Path, hashes: HashMemo) -> Job:
    source = source_key(model.task.source, folder, hashes)
    return Job(
        id=model.id,
        key=job_key(model.task, source, folder, hashes),
        task=model.task,
        folder=folder,
        scratch=scratch,
        store=store,
        source_key=source,
        limits=model.limits,
        cores=model.cores,
    )
