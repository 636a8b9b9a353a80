"""The Ray engine on clusters on this machine: real Ray, real wrappers, processes that are killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import ray_jobs
from marked import Marked, mark_processes, until

from convert.zoo.engines.base import Engine, Finished
from convert.zoo.engines.ray_engine import RayEngine
from convert.zoo.job import GIB, Job, JobLimits, ModelTask, Source, SourceKind
from convert.zoo.result import Outcome
from convert.zoo.store import open_store
from verify.errors import InfrastructureError, MissingDependency


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Marked]:
    marked = mark_processes(monkeypatch)
    yield marked
    for process in marked.processes():
        process.kill()


def test_every_job_runs_and_makes_its_files_and_leaving_leaves_no_process(
    tmp_path: Path, marked: Marked, capfd: pytest.CaptureFixture[str]
) -> None:
    jobs = [_job(f"model{number}", tmp_path) for number in range(6)]
    with RayEngine(tmp_path / "jobs", slots=2, memory_bytes=6 * GIB, cold=True) as engine:
        finished = _run(engine, jobs)
        assert marked.processes()
    assert {each.id for each in finished} == {job.id for job in jobs}
    for each in finished:
        assert each.result is not None
        assert each.result.outcome is Outcome.OK, each.result
        assert _made(each, tmp_path) == each.id
    assert not marked.processes()
    assert capfd.readouterr() == ("", "")


def test_an_error_in_the_scheduler_ends_what_runs(tmp_path: Path, marked: Marked) -> None:
    engine = RayEngine(tmp_path / "jobs", slots=1, memory_bytes=4 * GIB, cold=True)
    with pytest.raises(ZeroDivisionError):
        _fail_while_a_job_runs(engine, _job("sleeper", tmp_path, ray_jobs.sleep_long), marked)
    assert not marked.processes()


def _fail_while_a_job_runs(engine: RayEngine, job: Job, marked: Marked) -> None:
    with engine:
        engine.start(job)
        until(marked.body_runs)
        raise ZeroDivisionError


def test_a_killed_scheduler_takes_the_cluster_it_started_with_it(tmp_path: Path, marked: Marked) -> None:
    script = (
        "import sys; from pathlib import Path; from test_ray_engine import _hold_a_cluster; "
        "_hold_a_cluster(Path(sys.argv[1]))"
    )
    scheduler = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    until(marked.body_runs)
    scheduler.kill()
    scheduler.wait()
    until(lambda: not marked.processes())


def _hold_a_cluster(folder: Path) -> None:
    with RayEngine(folder / "jobs", slots=1, memory_bytes=4 * GIB, cold=True) as engine:
        engine.start(_job("sleeper", folder, ray_jobs.sleep_long))
        engine.wait(300)


def test_a_job_whose_ray_worker_was_killed_is_lost_rather_than_failed(tmp_path: Path, marked: Marked) -> None:
    with RayEngine(tmp_path / "jobs", slots=1, memory_bytes=4 * GIB, cold=True) as engine:
        (lost,) = _run(engine, [_job("killer", tmp_path, ray_jobs.kill_ray_worker)])
        assert lost.result is None
        assert lost.lost.startswith("WorkerCrashedError")
        (after,) = _run(engine, [_job("next", tmp_path)])
        assert after.result is not None
        assert after.result.outcome is Outcome.OK
        until(lambda: not marked.body_runs())


def test_a_job_that_no_machine_can_hold_any_more_is_given_back(tmp_path: Path) -> None:
    with RayEngine(tmp_path / "jobs", slots=1, memory_bytes=4 * GIB, cold=True, stranded_s=1.0) as engine:
        assert engine.largest_job_bytes == int(2.5 * GIB)
        large = _job("large", tmp_path)
        engine.start(replace(large, limits=replace(large.limits, memory_bytes=engine.largest_job_bytes + GIB)))
        (lost,) = _until(engine, 1)
    assert lost == Finished("large", None, "no machine was up that has the memory and the cores it asks for")


def test_ray_gets_a_little_more_than_it_can_run_and_never_the_whole_zoo(tmp_path: Path) -> None:
    with RayEngine(tmp_path / "jobs", slots=2, memory_bytes=5 * GIB, cold=True) as engine:
        taken = 0
        while engine.accepts(_job(f"model{taken}", tmp_path)):
            engine.start(_job(f"model{taken}", tmp_path, ray_jobs.sleep_long))
            taken += 1
    assert taken == 4


def test_a_cluster_that_does_not_answer_is_a_typed_error(tmp_path: Path, marked: Marked) -> None:
    with pytest.raises(InfrastructureError, match="no Ray cluster answers at 127.0.0.1:1: ") as caught:
        RayEngine(tmp_path, slots=1, memory_bytes=GIB, address="127.0.0.1:1").__enter__()
    assert "ray start --head" in caught.value.fix
    assert not marked.processes()


def test_without_ray_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependency, match="not installed") as caught:
        RayEngine(tmp_path, slots=1, memory_bytes=GIB).__enter__()
    assert caught.value.fix == "pip install 'pth2tflite[ray]'"


def _job(name: str, folder: Path, body: Callable[..., object] = ray_jobs.write_name) -> Job:
    return Job(
        id=name,
        key=f"key-of-{name}",
        task=ModelTask(Source(SourceKind.FILE, "none.pth"), name),
        folder=folder,
        scratch=folder / "scratch" / name,
        store=str(folder / "store"),
        limits=JobLimits(timeout_s=120.0, memory_bytes=GIB),
        body=f"{body.__module__}:{body.__name__}",
    )


def _run(engine: Engine, jobs: list[Job]) -> list[Finished]:
    waiting, finished = list(jobs), list[Finished]()
    while len(finished) < len(jobs):
        while waiting and engine.accepts(waiting[-1]):
            engine.start(waiting.pop())
        finished += engine.wait(0.25)
    return finished


def _until(engine: Engine, count: int) -> list[Finished]:
    finished: list[Finished] = []
    while len(finished) < count:
        finished += engine.wait(0.25)
    return finished


def _made(finished: Finished, folder: Path) -> str:
    """The text of the file that the job put into the store."""
    assert finished.result is not None
    assert finished.result.conversion is not None
    (file,) = finished.result.conversion.files
    target = folder / f"{finished.id}.txt"
    open_store(str(folder / "store")).get_file(file, target)
    return target.read_text(encoding="ascii")
