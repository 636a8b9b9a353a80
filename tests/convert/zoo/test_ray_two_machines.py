"""Two raylets on this machine stand for two machines; one of them is killed while both run jobs."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from marked import Marked, mark_processes, until
from ray_jobs import make_job, process_of, stored_text

from convert.zoo.engines.ray_engine import RayEngine
from convert.zoo.job import GIB, Job
from convert.zoo.result import JobResult, Outcome
from convert.zoo.scheduler import Scheduler

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
    marked.kill()


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
    running: dict[str, Job] = field(default_factory=dict)
    results: dict[str, JobResult] = field(default_factory=dict)
    again_for: list[str] = field(default_factory=list)
    lost_processes: list[psutil.Process] = field(default_factory=list)

    def started(self, job: Job) -> None:
        self.running[job.id] = job

    def finished(self, result: JobResult) -> None:
        del self.running[result.id]
        self.results[result.id] = result

    def again(self, job: Job, why: str) -> None:
        self.again_for.append(why)

    def tick(self) -> None:
        if not self.lost_processes and len(self.results) >= 2 and any(map(self._runs, self.running.values())):
            self.lost_processes = [self.raylet, *self.raylet.children(recursive=True)]
            for process in [self.raylet, *self.raylet.children()]:
                process.kill()

    def _runs(self, job: Job) -> bool:
        """Whether the job's body runs on that machine."""
        process = process_of(job)
        return process is not None and self.raylet in process.parents()


def test_all_jobs_complete_when_one_of_two_machines_is_killed_midway(tmp_path: Path, marked: Marked) -> None:
    jobs = [make_job(f"model{number}", tmp_path) for number in range(_JOBS)]
    with _two_machines() as cluster:
        (other,) = cluster.worker_nodes
        witness = _Witness(psutil.Process(other.all_processes["raylet"][0].process.pid))
        with RayEngine(tmp_path / "jobs", 1, 1, address=cluster.address) as engine:
            Scheduler(engine, witness).run(jobs)
            until(lambda: not any(map(_lives, witness.lost_processes)))
    assert len(witness.lost_processes) > 3, "a raylet, a worker, a wrapper, a job"
    assert any("machine was lost" in why for why in witness.again_for)
    assert {job.id for job in jobs} == set(witness.results)
    for result in witness.results.values():
        assert result.outcome is Outcome.OK, result
        assert stored_text(result, tmp_path) == result.id
    until(lambda: not marked.processes())


def _lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
