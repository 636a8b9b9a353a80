"""One job, whatever it does: run in a slot, within its limits, classified, kept, and nothing of it left behind."""

from __future__ import annotations

import platform
import time
from dataclasses import replace
from datetime import UTC, datetime

from convert.workspace import code_sha256
from convert.zoo.child import run_body
from convert.zoo.classify import outcome_of
from convert.zoo.job import Job
from convert.zoo.job_log import abridged, logs_below
from convert.zoo.result import Conversion, JobResult, Outcome
from convert.zoo.scratch import Scratch
from convert.zoo.slot import Slot
from convert.zoo.store import Store, open_store
from convert.zoo.watchdog import Watchdog, over_memory
from verify.errors import (
    DiskFull,
    InfrastructureError,
    LogTooLong,
    TimeLimitExceeded,
    ToolError,
    TooManyProcesses,
)
from verify.limits import Usage
from verify.machine_fault import machine_fault
from verify.worker import Worker

_OTHER_LIMITS = (TimeLimitExceeded, TooManyProcesses, LogTooLong)
"""Whatever else ended a job in which the kernel killed a process for memory came of that: its parent may only say that
a child of it failed."""


def run_job(job: Job, slot: Slot) -> JobResult:
    """Run a job to its end, however it ends. The result is in its store when this returns, unless the store failed."""
    started = time.monotonic()
    try:
        with Scratch(job.scratch) as scratch:
            result = _run(job, slot, scratch)
            with slot.recording:
                return _kept(replace(result, seconds=time.monotonic() - started), job, scratch)
    except OSError as error:
        return replace(_failed(job, _no_place(error, job)), seconds=time.monotonic() - started)


def _run(job: Job, slot: Slot, scratch: Scratch) -> JobResult:
    slot.prepare(job.cores)
    watchdog = Watchdog(job.limits, slot.grouped_processes)
    kills_before = slot.kills_for_memory()
    try:
        conversion, peak = _convert(job, slot, scratch, watchdog)
        result = _converted(job, conversion, max(peak, watchdog.peak_memory_bytes))
    except ToolError as error:
        if slot.kills_for_memory() > kills_before and not isinstance(error, _OTHER_LIMITS):
            error = over_memory(job.limits).within(*error.context)
        result = replace(_failed(job, error), peak_memory_bytes=watchdog.peak_memory_bytes)
    left = slot.sweep()
    if left:
        result = replace(result, context=(*result.context, f"processes that would not end: {sorted(left)}"))
    return result


def _convert(job: Job, slot: Slot, scratch: Scratch, watchdog: Watchdog) -> tuple[Conversion, int]:
    """What the body answers, and the peak memory of its own process: a short job ends before it is weighed."""

    def watch(worker: int | None, elapsed_s: float) -> Usage:
        slot.limit(job.limits)
        usage = watchdog(worker, elapsed_s)
        if usage.passed is not None:
            slot.sweep()
        return usage

    slot.limit(job.limits)
    with Worker("job", log_path=scratch.log, fork_server=slot.job_server, watch=watch) as worker:
        outcome = worker.run(
            run_body,
            job=job,
            warm=slot.warm_hosts,
            scratch=scratch.work,
            temporary=scratch.temporary,
            join=slot.join,
        )
    return outcome.value, outcome.peak_memory_bytes


def _converted(job: Job, conversion: Conversion, peak_memory_bytes: int) -> JobResult:
    return replace(
        _ended(job, conversion.outcome),
        what="" if conversion.outcome is Outcome.OK else conversion.headline,
        conversion=conversion,
        peak_memory_bytes=peak_memory_bytes,
    )


def _failed(job: Job, error: ToolError) -> JobResult:
    outcome, number = outcome_of(error)
    context = (*error.context, f"scratch folder: {job.scratch}") if isinstance(error, DiskFull) else error.context
    return replace(_ended(job, outcome), signal=number, what=error.what, fix=error.fix, context=context)


def _ended(job: Job, outcome: Outcome) -> JobResult:
    return JobResult(
        job.id,
        job.key,
        outcome,
        attempts=job.attempt,
        limits=job.limits,
        host=platform.node(),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        code_sha256=code_sha256(),
    )


def _kept(result: JobResult, job: Job, scratch: Scratch) -> JobResult:
    """The result with its log, both in the store; or why they are not, and what the result would have been."""
    try:
        store = open_store(job.store)
        kept = _with_log(result, scratch, store)
        store.put_result(kept)
    except (ToolError, OSError, ValueError) as error:
        fault = machine_fault(error, "the store") or (error if isinstance(error, ToolError) else None)
        failed = _failed(job, fault or InfrastructureError(f"the result could not be kept: {error}"))
        ended = f"the job itself had ended: {result.label}"
        return replace(failed, context=(*failed.context, ended, *filter(None, [result.what])), seconds=result.seconds)
    return kept


def _with_log(result: JobResult, scratch: Scratch, store: Store) -> JobResult:
    """The result and what was printed: of a failure by its workers too, whose log is in no output folder then."""
    workers = logs_below(scratch.work) if result.conversion is None else []
    text = abridged([scratch.log, *workers])
    if not text:
        return result
    scratch.clear()
    log = scratch.folder / "log.txt"
    log.write_bytes(text)
    return replace(result, log=store.put_file(log, log.name))


def _no_place(error: OSError, job: Job) -> ToolError:
    fault = machine_fault(error, f"job {job.id}")
    return fault or InfrastructureError(
        f"there is no room to work in {job.scratch}: {error}", fix="name another scratch folder"
    )
