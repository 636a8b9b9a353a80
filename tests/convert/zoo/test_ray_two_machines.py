"""Two raylets on this machine stand for two machines; one of them is killed while both run jobs."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray_jobs
from marked import Marked, mark_processes, until

from convert.zoo.engines.ray_engine import RayEngine
from convert.zoo.job import GIB, Job, JobLimits, ModelTask, Source, SourceKind
from convert.zoo.result import JobResult, Outcome
from convert.zoo.scheduler import Scheduler
from convert.zoo.store import open_store

_JOBS = 16


@pytest.fixture(autouse=True)
def _short_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """For what the machines keep of their own; Ray's sockets need a short path."""
    folder = Path(tempfile.mkdtemp(prefix="zoo", dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Marked]:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", uuid.uuid4().hex)
    marked = mark_processes(monkeypatch)
    yield marked
    for process in marked.processes():
        process.kill()


@contextlib.contextmanager
def _two_machines() -> Iterator[Any]:
    """A Ray cluster of a head and another machine, one core each."""
    from ray.cluster_utils import Cluster

    machine = {"num_cpus": 1, "memory": 4 * GIB, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**machine, "include_dashboard": False})
    try:
        cluster.add_node(**machine)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()


@dataclass
class _Witness:
    """Kills a machine once two jobs have ended and it runs another, and keeps what it is told."""

    raylet: psutil.Process
    results: dict[str, JobResult] = field(default_factory=dict)
    again_for: list[str] = field(default_factory=list)
    killed: bool = False

    def started(self, job: Job) -> None:
        pass

    def finished(self, result: JobResult) -> None:
        self.results[result.id] = result

    def again(self, job: Job, why: str) -> None:
        self.again_for.append(why)

    def tick(self) -> None:
        if not self.killed and len(self.results) >= 2 and _runs_a_job(self.raylet):
            self.killed = True
            for process in [self.raylet, *self.raylet.children()]:
                process.send_signal(signal.SIGKILL)


def test_all_jobs_complete_when_one_of_two_machines_is_killed_midway(tmp_path: Path, marked: Marked) -> None:
    jobs = [_job(f"model{number}", tmp_path) for number in range(_JOBS)]
    with _two_machines() as cluster:
        (other,) = cluster.worker_nodes
        witness = _Witness(psutil.Process(other.all_processes["raylet"][0].process.pid))
        with RayEngine(tmp_path / "jobs", 1, 1, address=cluster.address, cold=True) as engine:
            Scheduler(engine, witness).run(jobs)
            until(lambda: len(marked.running("convert.zoo.wrapper")) == 1)
    assert witness.killed
    assert any("machine was lost" in why for why in witness.again_for)
    assert {job.id for job in jobs} == set(witness.results)
    for result in witness.results.values():
        assert result.outcome is Outcome.OK, result
        assert _made(result, tmp_path) == result.id
    until(lambda: not marked.processes())


def _runs_a_job(raylet: psutil.Process) -> bool:
    """Whether a wrapper below it has a child."""
    wrappers = [each for worker in raylet.children() for each in worker.children()]
    return any(wrapper.children() for wrapper in wrappers)


def _job(name: str, folder: Path) -> Job:
    return Job(
        id=name,
        key=f"key-of-{name}",
        task=ModelTask(Source(SourceKind.FILE, "none.pth"), name),
        folder=folder,
        scratch=folder / "scratch" / name,
        store=str(folder / "store"),
        limits=JobLimits(timeout_s=120.0, memory_bytes=GIB),
        body=f"{ray_jobs.write_name.__module__}:{ray_jobs.write_name.__name__}",
    )


def _made(result: JobResult, folder: Path) -> str:
    assert result.conversion is not None
    (file,) = result.conversion.files
    target = folder / f"{result.id}.txt"
    open_store(str(folder / "store")).get_file(file, target)
    return target.read_text(encoding="ascii")
