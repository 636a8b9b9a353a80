"""One run of a zoo, from its manifest to its summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from convert.memory import PeakMemory
from convert.zoo.engines.base import Engine
from convert.zoo.files import last_result, result_path, write_job, write_result
from convert.zoo.job import Job
from convert.zoo.jobs import make_jobs
from convert.zoo.places import Places
from convert.zoo.plan import Zoo
from convert.zoo.progress import ZooProgress
from convert.zoo.result import JobResult, Outcome
from convert.zoo.resume import to_run
from convert.zoo.scheduler import Scheduler, longest_first
from convert.zoo.sources import HashMemo
from convert.zoo.store import Store, StoreDamaged, open_store
from convert.zoo.summary.build import RunFacts, build_report
from convert.zoo.summary.types import ZooReport
from verify.errors import ToolError


@dataclass(frozen=True)
class ZooRun:
    """Options of a run. ``store`` is a folder or fsspec URL, the output folder's own if ``None``."""

    places: Places
    store: str | None = None
    retry: frozenset[Outcome] = frozenset()
    memory_bytes: int = 0
    slots: int = 1
    engine: str = "local"
    shard: str = ""

    @property
    def store_url(self) -> str:
        """Where results are kept."""
        return self.store or str(self.places.store.absolute())


MakeEngine = Callable[[Places, int], Engine]
"""Gets the places of the run and a descriptor to be held open by whatever it starts (the folder's lock)."""


def run_zoo(zoo: Zoo, run: ZooRun, make_engine: MakeEngine, progress: ZooProgress) -> ZooReport:
    """Run every job whose result is not there yet, and say what the whole zoo comes to.

    Raises ``InputError`` when another run works in the same folder. What goes wrong with a model is in its row.
    """
    started = time.monotonic()
    places = run.places
    with places.locked() as lock:
        store = open_store(run.store_url)
        jobs, results = _sorted_out(zoo, run)
        collected = _Collected(store, places, dict(results))
        with make_engine(places, lock) as engine, PeakMemory(proportional=True) as memory, progress:
            waiting = collected.resume(jobs, run.retry, engine.largest_job_bytes)
            progress.reused([collected.results[job.id] for job in jobs if job.id in collected.results])
            for refused in results.values():
                progress.finished(refused)
            seconds = past_seconds(places, waiting)
            progress.seconds = seconds
            progress.queued(waiting)
            Scheduler(engine, _Both(progress, collected)).run(longest_first(waiting, seconds))
        facts = RunFacts(
            created=_now(),
            engine=run.engine,
            wall_seconds=time.monotonic() - started,
            peak_memory_bytes=memory.bytes or None,
            memory_cap_bytes=run.memory_bytes or None,
            shard=run.shard,
        )
        return build_report(zoo, collected.results, facts)


def plan_zoo(zoo: Zoo, run: ZooRun) -> Sequence[Path]:
    """Write the job files of a zoo and run nothing; a cluster's own queue runs them. Returns the files."""
    with run.places.locked():
        jobs, _ = _sorted_out(zoo, run)
        return [write_job(job, run.places.jobs) for job in jobs]


def collect_zoo(zoo: Zoo, run: ZooRun) -> ZooReport:
    """What the results that are there come to, of jobs that something else ran; the others count as not run."""
    with run.places.locked():
        jobs, results = _sorted_out(zoo, run)
        collected = _Collected(open_store(run.store_url), run.places, dict(results))
        for job in jobs:
            found = last_result(run.places.jobs, job.id)
            if found is not None and found.key == job.key:
                collected.finished(found)
            else:
                collected.take(job)
        facts = RunFacts(created=_now(), engine=run.engine, wall_seconds=0.0, shard=run.shard)
        return build_report(zoo, collected.results, facts)


def past_seconds(places: Places, jobs: Sequence[Job]) -> Mapping[str, float]:
    """How long jobs of the same name took last time."""
    earlier = {job.id: last_result(places.jobs, job.id) for job in jobs}
    return {job_id: result.seconds for job_id, result in earlier.items() if result is not None}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _sorted_out(zoo: Zoo, run: ZooRun) -> tuple[list[Job], dict[str, JobResult]]:
    """The jobs of a zoo, and the results of those that cannot even be made into one."""
    with HashMemo(run.places.hashes) as hashes:
        made = list(make_jobs(zoo, store=run.store_url, scratch=run.places.scratch.absolute(), hashes=hashes))
    jobs = [each for each in made if isinstance(each, Job)]
    return jobs, {each.id: each for each in made if isinstance(each, JobResult)}


@dataclass
class _Collected:
    """A watcher that keeps results by id, and puts what they made where the user finds it."""

    store: Store
    places: Places
    results: dict[str, JobResult] = field(default_factory=dict)

    def resume(self, jobs: Sequence[Job], retry: AbstractSet[Outcome], largest_job_bytes: int) -> list[Job]:
        """Take every result that stands; returns the jobs that must run."""
        waiting = []
        for job in jobs:
            again = to_run(job, self.store.result(job.key), retry, largest_job_bytes)
            if again is None and self.take(job):
                continue
            waiting.append(again or job)
        return waiting

    def take(self, job: Job) -> bool:
        """Take the store's result of a job; ``False`` when there is none, or when its files are gone."""
        result = self.store.result(job.key)
        if result is None:
            return False
        result = replace(result, id=job.id)
        try:
            self._publish(result)
        except StoreDamaged:
            return False
        self.results[job.id] = result
        return True

    def started(self, job: Job) -> None:
        """Nothing to keep yet."""

    def again(self, job: Job, why: str) -> None:
        """Not final."""

    def tick(self) -> None:
        """Nothing to show."""

    def finished(self, result: JobResult) -> None:
        """Publish a result; one that cannot be published costs its own model, not the others."""
        try:
            self._publish(result)
        except (ToolError, OSError) as error:
            result = _unpublished(result, error)
        self.results[result.id] = result

    def _publish(self, result: JobResult) -> None:
        """Put the output folder, the log and the result's own file where the user finds them."""
        self.places.checkout(result.id).update(self.store, result)
        log = self.places.jobs / result.id / "log.txt"
        if result.log is not None and not (log.exists() and log.stat().st_size == result.log.size_bytes):
            log.parent.mkdir(parents=True, exist_ok=True)
            self.store.get_file(result.log, log)
        if last_result(self.places.jobs, result.id) != result:
            write_result(result, result_path(self.places.jobs, result.id))


def _unpublished(result: JobResult, error: ToolError | OSError) -> JobResult:
    return replace(
        result,
        outcome=Outcome.INFRASTRUCTURE,
        signal=None,
        what=f"the job ended ({result.label}), but its files could not be put into models/: {error}",
        fix="make room, then run the same command again: what the store has is not made again",
        conversion=None,
        log=None,
    )


@dataclass(frozen=True)
class _Both:
    """Two watchers as one."""

    first: ZooProgress
    second: _Collected

    def started(self, job: Job) -> None:
        self.first.started(job)

    def finished(self, result: JobResult) -> None:
        self.second.finished(result)
        self.first.finished(self.second.results[result.id])

    def again(self, job: Job, why: str) -> None:
        self.first.again(job, why)

    def tick(self) -> None:
        self.first.tick()
