"""Order, second attempts and room, on an engine that plays a script instead of running anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from convert.zoo.engines.base import Finished
from convert.zoo.job import GIB, Job, JobLimits, ModelTask, Source, SourceKind
from convert.zoo.result import JobResult, Outcome
from convert.zoo.resume import to_run
from convert.zoo.scheduler import MOST_MACHINES_LOST, Scheduler, longest_first


def job(name: str, *, gib: float = 1.0, cores: int = 1) -> Job:
    task = ModelTask(Source(SourceKind.FILE, f"{name}.pth"), name)
    limits = JobLimits(memory_bytes=int(gib * GIB), timeout_s=60)
    return Job(name, f"key-{name}", task, Path(), Path("scratch"), "store", limits=limits, cores=cores)


def result(of: Job, outcome: Outcome = Outcome.OK) -> JobResult:
    return JobResult(of.id, of.key, outcome, attempts=of.attempt, limits=of.limits)


@dataclass
class ScriptedEngine:
    """Ends one job a call, the one started first, as the script says; knows memory but no time."""

    script: Callable[[Job], Finished]
    memory_bytes: int = 8 * GIB
    started: list[Job] = field(default_factory=list)
    running: list[Job] = field(default_factory=list)
    most_running: int = 0

    @property
    def largest_job_bytes(self) -> int:
        return self.memory_bytes

    def accepts(self, job: Job) -> bool:
        return sum(each.limits.memory_bytes for each in [*self.running, job]) <= self.memory_bytes

    def start(self, job: Job) -> None:
        self.started.append(job)
        self.running.append(job)
        self.most_running = max(self.most_running, len(self.running))

    def wait(self, timeout_s: float) -> Sequence[Finished]:
        return [self.script(self.running.pop(0))] if self.running else []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


@dataclass
class Heard:
    """A watcher that remembers."""

    results: list[JobResult] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def started(self, job: Job) -> None: ...

    def finished(self, result: JobResult) -> None:
        self.results.append(result)

    def again(self, job: Job, why: str) -> None:
        self.reasons.append(why)

    def tick(self) -> None: ...


def run(engine: ScriptedEngine, jobs: Sequence[Job], seconds: dict[str, float] | None = None) -> Heard:
    heard = Heard()
    Scheduler(engine, heard).run(longest_first(jobs, seconds or {}))
    return heard


def test_the_longest_job_of_last_time_starts_first_and_unknown_ones_before_it() -> None:
    engine = ScriptedEngine(lambda job: Finished(job.id, result(job)))
    run(engine, [job("short"), job("long"), job("new")], {"short": 1.0, "long": 90.0})
    assert [each.id for each in engine.started] == ["new", "long", "short"]


def test_of_jobs_that_never_ran_the_largest_checkpoint_starts_first(tmp_path: Path) -> None:
    jobs = [replace(job(name), folder=tmp_path) for name in ("small", "large")]
    for each, size in zip(jobs, (10, 1000), strict=True):
        (tmp_path / f"{each.id}.pth").write_bytes(bytes(size))
    assert [each.id for each in longest_first(jobs, {})] == ["large", "small"]


def test_what_runs_together_never_needs_more_memory_than_there_is() -> None:
    engine = ScriptedEngine(lambda job: Finished(job.id, result(job)), memory_bytes=4 * GIB)
    run(engine, [job(f"m{index}", gib=1.5) for index in range(9)])
    assert engine.most_running == 2


def test_a_small_job_runs_beside_a_large_one_that_another_large_one_has_to_wait_for() -> None:
    engine = ScriptedEngine(lambda job: Finished(job.id, result(job)), memory_bytes=4 * GIB)
    run(engine, [job("a", gib=3), job("b", gib=3), job("c", gib=1)], {"a": 3.0, "b": 2.0, "c": 1.0})
    assert [each.id for each in engine.started] == ["a", "c", "b"]


def test_out_of_memory_is_tried_once_more_with_twice_the_limit() -> None:
    engine = ScriptedEngine(lambda job: Finished(job.id, result(job, Outcome.OOM if job.attempt == 1 else Outcome.OK)))
    heard = run(engine, [job("greedy", gib=2)])
    assert [each.limits.memory_bytes for each in engine.started] == [2 * GIB, 4 * GIB]
    assert [(each.outcome, each.attempts) for each in heard.results] == [(Outcome.OK, 2)]
    assert heard.reasons == ["out of memory: once more with 4.0 GiB"]


def test_out_of_memory_twice_is_the_result() -> None:
    engine = ScriptedEngine(lambda job: Finished(job.id, result(job, Outcome.OOM)))
    heard = run(engine, [job("greedy")])
    assert len(engine.started) == 2
    assert [each.outcome for each in heard.results] == [Outcome.OOM]


def test_out_of_memory_is_not_tried_again_where_twice_the_limit_does_not_fit() -> None:
    engine = ScriptedEngine(lambda job: Finished(job.id, result(job, Outcome.OOM)))
    run(engine, [job("greedy", gib=5)])
    assert len(engine.started) == 1


@pytest.mark.parametrize("outcome", [Outcome.SIGNAL, Outcome.TIMEOUT, Outcome.CONVERSION, Outcome.INFRASTRUCTURE])
def test_nothing_else_is_tried_again(outcome: Outcome) -> None:
    engine = ScriptedEngine(lambda job: Finished(job.id, result(job, outcome)))
    heard = run(engine, [job("bad")])
    assert len(engine.started) == 1
    assert [each.outcome for each in heard.results] == [outcome]


def test_a_lost_machine_costs_an_attempt_of_the_machine_not_of_the_job() -> None:
    ends = iter([Finished("m", None, lost="the node died"), Finished("m", None, lost="the node died")])
    engine = ScriptedEngine(lambda job: next(ends, Finished(job.id, result(job))))
    heard = run(engine, [job("m")])
    assert [each.outcome for each in heard.results] == [Outcome.OK]
    assert [each.attempt for each in engine.started] == [1, 1, 1]


def test_a_job_that_loses_every_machine_ends() -> None:
    engine = ScriptedEngine(lambda job: Finished(job.id, None, lost="the node died"))
    heard = run(engine, [job("m")])
    assert len(engine.started) == MOST_MACHINES_LOST
    assert heard.results[0].outcome is Outcome.INFRASTRUCTURE
    assert "3 machines were lost" in heard.results[0].what


def test_a_job_that_can_never_fit_is_told_so_and_the_others_run() -> None:
    engine = ScriptedEngine(lambda job: Finished(job.id, result(job)))
    heard = run(engine, [job("huge", gib=100), job("small")])
    by_id = {each.id: each for each in heard.results}
    assert by_id["small"].outcome is Outcome.OK
    assert by_id["huge"].what == "its memory limit is 100.0 GiB; the most one job can have here is 8.0 GiB"


MODEL = job("m", gib=2)


@pytest.mark.parametrize(
    "outcome",
    [Outcome.OK, Outcome.PARITY, Outcome.BUDGET, Outcome.CONVERSION, Outcome.BAD_INPUT, Outcome.SIGNAL],
)
def test_what_was_found_out_about_a_model_stands_until_asked_again(outcome: Outcome) -> None:
    earlier = result(MODEL, outcome)
    assert to_run(MODEL, earlier, frozenset(), 8 * GIB) is None
    assert to_run(MODEL, earlier, frozenset({outcome}), 8 * GIB) == MODEL


def test_a_fault_of_the_machine_never_stands() -> None:
    assert to_run(MODEL, result(MODEL, Outcome.INFRASTRUCTURE), frozenset(), 8 * GIB) == MODEL


def test_a_time_limit_stands_until_it_is_raised() -> None:
    earlier = result(MODEL, Outcome.TIMEOUT)
    more = replace(MODEL, limits=replace(MODEL.limits, timeout_s=61))
    assert to_run(MODEL, earlier, frozenset(), 8 * GIB) is None
    assert to_run(more, earlier, frozenset(), 8 * GIB) == more


def test_a_memory_limit_stands_once_twice_as_much_was_tried() -> None:
    first = result(MODEL, Outcome.OOM)
    second = replace(first, limits=replace(first.limits, memory_bytes=4 * GIB), attempts=2)
    going_on = to_run(MODEL, first, frozenset(), 8 * GIB)
    assert going_on is not None
    assert (going_on.attempt, going_on.limits.memory_bytes) == (2, 4 * GIB)
    assert to_run(MODEL, second, frozenset(), 8 * GIB) is None
    assert to_run(MODEL, first, frozenset(), 3 * GIB) is None
