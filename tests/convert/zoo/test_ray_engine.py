"""The Ray engine on clusters that it starts on this machine: real Ray, real wrappers, processes that are killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from marked import Marked, mark_processes, until
from ray_jobs import kill_ray_worker, make_job, process_of, sleep_long, stored_text

from convert.zoo.engines.base import Engine, Finished
from convert.zoo.engines.ray_engine import RayEngine
from convert.zoo.job import GIB, Job
from convert.zoo.result import Outcome
from verify.errors import InfrastructureError, MissingDependency


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayEngine]:
    """One cluster of two cores for the tests that leave it as it was."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        marked = mark_processes(monkeypatch)
        folder = tmp_path_factory.mktemp("ray")
        with RayEngine(folder / "jobs", slots=2, memory_bytes=6 * GIB, stranded_s=1.0) as engine:
            yield engine
        assert not marked.processes()


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Marked]:
    marked = mark_processes(monkeypatch)
    yield marked
    marked.kill()


def test_every_job_runs_and_its_files_are_in_the_store_and_nothing_is_printed(
    engine: RayEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    jobs = [make_job(f"model{number}", tmp_path) for number in range(6)]
    finished = _run(engine, jobs)
    assert {each.id for each in finished} == {job.id for job in jobs}
    for each in finished:
        assert each.result is not None, each
        assert each.result.outcome is Outcome.OK, each
        assert stored_text(each.result, tmp_path) == each.id
    assert capfd.readouterr() == ("", "")


def test_a_job_whose_ray_worker_was_killed_is_lost_rather_than_failed(engine: RayEngine, tmp_path: Path) -> None:
    killer = make_job("killer", tmp_path, kill_ray_worker)
    (lost,) = _run(engine, [killer])
    assert lost.result is None
    assert lost.lost.startswith("WorkerCrashedError")
    until(lambda: process_of(killer) is None)
    (after,) = _run(engine, [make_job("next", tmp_path)])
    assert after.result is not None
    assert after.result.outcome is Outcome.OK


def test_a_job_that_no_machine_can_hold_any_more_is_given_back(engine: RayEngine, tmp_path: Path) -> None:
    assert engine.largest_job_bytes == int(4.5 * GIB)
    job = make_job("large", tmp_path)
    engine.start(replace(job, limits=replace(job.limits, memory_bytes=engine.largest_job_bytes + 1)))
    assert _wait(engine, 1) == [
        Finished("large", None, "no machine was up that has the memory and the cores it asks for")
    ]


def test_ray_gets_a_little_more_than_it_can_run_and_never_the_whole_zoo(engine: RayEngine, tmp_path: Path) -> None:
    taken = 0
    while engine.accepts(make_job(f"model{taken}", tmp_path)):
        engine.start(make_job(f"model{taken}", tmp_path))
        taken += 1
    assert taken == 4
    assert len(_wait(engine, taken)) == taken


def test_an_error_in_the_scheduler_ends_what_runs(tmp_path: Path, marked: Marked) -> None:
    engine = RayEngine(tmp_path / "jobs", slots=1, memory_bytes=4 * GIB)
    with pytest.raises(ZeroDivisionError):
        _fail_while_a_job_runs(engine, make_job("sleeper", tmp_path, sleep_long))
    assert not marked.processes()


def test_a_killed_scheduler_takes_the_cluster_it_started_with_it(tmp_path: Path, marked: Marked) -> None:
    script = (
        "import sys; from pathlib import Path; from test_ray_engine import hold_a_cluster; "
        "hold_a_cluster(Path(sys.argv[1]))"
    )
    scheduler = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    until(lambda: process_of(make_job("sleeper", tmp_path)) is not None)
    scheduler.kill()
    scheduler.wait()
    until(lambda: not marked.processes())


@pytest.mark.slow
def test_a_machine_on_which_ray_has_ended_is_a_typed_error_and_nothing_is_left(tmp_path: Path, marked: Marked) -> None:
    def run_without_ray() -> None:
        with RayEngine(tmp_path / "jobs", slots=1, memory_bytes=4 * GIB) as engine:
            engine.start(make_job("sleeper", tmp_path, sleep_long))
            until(lambda: process_of(make_job("sleeper", tmp_path)) is not None)
            for process in marked.processes():
                if process.name() == "raylet":
                    process.kill()
            _wait(engine, 2)

    with pytest.raises(InfrastructureError, match="Ray has ended on this machine; jobs that had ended are kept"):
        run_without_ray()
    assert not marked.processes()


def test_a_cluster_that_does_not_answer_is_a_typed_error(tmp_path: Path, marked: Marked) -> None:
    with pytest.raises(InfrastructureError, match=r"no Ray cluster answers at 127\.0\.0\.1:1: ") as caught:
        RayEngine(tmp_path, slots=1, memory_bytes=GIB, address="127.0.0.1:1").__enter__()
    assert "ray start --head" in caught.value.fix
    assert not marked.processes()


def test_without_ray_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependency, match="not installed") as caught:
        RayEngine(tmp_path, slots=1, memory_bytes=GIB).__enter__()
    assert caught.value.fix == "pip install 'pth2tflite[ray]'"


def hold_a_cluster(folder: Path) -> None:
    """A scheduler that waits for a job which does not end."""
    with RayEngine(folder / "jobs", slots=1, memory_bytes=4 * GIB) as engine:
        engine.start(make_job("sleeper", folder, sleep_long))
        engine.wait(300)


def _fail_while_a_job_runs(engine: RayEngine, job: Job) -> None:
    with engine:
        engine.start(job)
        until(lambda: process_of(job) is not None)
        raise ZeroDivisionError


def _run(engine: Engine, jobs: list[Job]) -> list[Finished]:
    waiting, finished = list(jobs), list[Finished]()
    while len(finished) < len(jobs):
        while waiting and engine.accepts(waiting[-1]):
            engine.start(waiting.pop())
        finished += engine.wait(0.25)
    return finished


def _wait(engine: Engine, count: int) -> list[Finished]:
    finished: list[Finished] = []
    while len(finished) < count:
        finished += engine.wait(0.25)
    return finished
