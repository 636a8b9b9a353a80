"""What a job's child does: fetch the model, convert it, judge it against its budgets, give everything to the store."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from convert.hosts import Hosts, WarmHosts
from convert.progress import Progress
from convert.run import Outcome as Run
from convert.run import convert
from convert.zoo.budgets import findings, headline, target_results, worst
from convert.zoo.job import Job, ModelTask, Target
from convert.zoo.keys import job_key
from convert.zoo.result import Conversion, Outcome, StoredFile
from convert.zoo.sources import HashMemo, SourceChanged, fetch, source_key
from convert.zoo.stages import stages_for
from convert.zoo.store import Store, open_store
from convert.zoo.store.stages import StoreStages, keep_stages
from verify.errors import InputError, SamplesInvalid, ToolError
from verify.report.types import Report
from verify.worker import Limits

_LOG_COLUMNS = 120

_LOG_END_BYTES = 2**17
"""Of a failed conversion's own log, so much from its beginning and from its end goes into the job's."""


def convert_model(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    """Convert the model of a job; the current folder is the job's. Progress goes to stdout, which is the job's log.

    The answer names no path of this machine: the same job gives the same conversion wherever it runs, timings and
    :attr:`Conversion.reused_stages` apart.

    Raises:
        SourceChanged: what the job reads is not what its key was made of.
        ToolError: as :func:`convert.run.convert` and :func:`convert.zoo.sources.fetch` raise it.
    """
    task = job.task
    _require_possible(task)
    store = open_store(job.store)
    model = _fetched(job, store, warm, scratch)
    folder = scratch / "output" / task.stem
    limits = replace(task.settings.limits, log_bytes=job.limits.log_bytes)
    settings = replace(task.settings, output=folder, limits=limits, command=f"convert zoo ({task.stem})")
    console = Console(file=sys.stdout, width=_LOG_COLUMNS, color_system=None, force_terminal=False, highlight=False)
    cache = StoreStages(store, task.stem)
    try:
        with Progress(console, quiet=False) as progress:
            run = convert(model, stages_for(task), settings, progress, stem=task.stem, warm=warm, cache=cache)
    except ToolError as error:
        raise _with_log_told(error, folder) from None
    files = _kept(run, store)
    keep_stages(store, folder, task.stem, files)
    return _conversion(run.report, task, files)


def _require_possible(task: ModelTask) -> None:
    if not task.targets:
        raise InputError("no targets were asked for", fix=f"name some of {', '.join(Target)}")
    if Target.INT8 in task.targets and task.settings.calibration is None:
        raise SamplesInvalid(
            "a static int8 file was asked for, and it needs calibration samples",
            fix='name some as calibration, "random" for random ones; or leave int8 out of targets',
        )


def _fetched(job: Job, store: Store, warm: WarmHosts, scratch: Path) -> Path:
    """The checkpoint, relative to the job's folder where it lies below: errors name it as the manifest does.

    Raises ``SourceChanged`` where what is kept under the job's key would be something else.
    """
    hashes = HashMemo(scratch / "hashes.json")
    key = job.source_key or source_key(job.task.source, job.folder, hashes)
    with Hosts(scratch / "fetch.log", Limits(), warm) as hosts:
        model = fetch(job.task.source, job.folder, scratch, store=store, key=key, hosts=hosts, locks=job.scratch)
    if job_key(job.task, key, job.folder, hashes) != job.key:
        raise SourceChanged(
            "samples, an architecture's source, our own code or a library is not what it was when this job was planned",
            fix="run the zoo again, with the same versions on every machine",
        )
    return model.relative_to(job.folder) if model.is_relative_to(job.folder) else model


def _with_log_told(error: ToolError, folder: Path) -> ToolError:
    """The error, its log printed into the job's: the file that it names will be gone."""
    log = folder.with_name(f"{folder.name}.failed.log")
    if log.is_file():
        sys.stdout.write(_abridged(log.read_bytes()))
    error.context = tuple(line for line in error.context if not line.startswith("log: "))
    return error


def _abridged(log: bytes) -> str:
    left_out = len(log) - 2 * _LOG_END_BYTES
    if left_out > 0:
        log = log[:_LOG_END_BYTES] + f"\n… {left_out:,} bytes left out …\n".encode() + log[-_LOG_END_BYTES:]
    return log.decode(errors="replace")


def _kept(run: Run, store: Store) -> tuple[StoredFile, ...]:
    """The whole output folder, its ledger included: ``convert pth2tflite`` goes on from a folder that is put back."""
    paths = sorted(path for path in run.folder.rglob("*") if path.is_file())
    return tuple(store.put_file(path, path.relative_to(run.folder).as_posix(), may_link=True) for path in paths)


def _conversion(report: Report, task: ModelTask, files: tuple[StoredFile, ...]) -> Conversion:
    found = findings(report, task.budgets)
    deciding = worst(found)
    return Conversion(
        outcome=deciding.outcome if deciding is not None else Outcome.OK,
        headline=headline(report, found),
        architecture=report.model.architecture if report.model is not None else "",
        input_sha256=report.input_sha256,
        targets=target_results(report, task.targets, found),
        files=files,
        reused_stages=tuple(stage.name for stage in report.stages if stage.reused),
        refusals=len(report.refusals),
        rung=report.used_rung,
    )
