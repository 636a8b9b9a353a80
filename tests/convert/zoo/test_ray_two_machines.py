"""Two raylets on this machine stand for two machines; one of them is killed while both run jobs."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from marked import Marked, mark_processes, until
from ray_jobs import make_job, process_of, stored_text
from sabotage.make_zoo import SABOTEURS, make_zoo
from same_results import normalised, zoo_differences

from convert.zoo.engines.ray_engine import RayEngine
from convert.zoo.job import GIB, Job
from convert.zoo.result import JobResult, Outcome
from convert.zoo.scheduler import Scheduler

_JOBS = 16
_ROOT = Path(__file__).parents[3]


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


@pytest.mark.slow
def test_a_zoo_comes_to_the_same_here_and_on_two_machines_of_which_one_is_killed(
    tmp_path: Path, marked: Marked
) -> None:
    saboteurs = [each for each in SABOTEURS if each.id in {"segfault", "corrupt"}]
    command = [sys.executable, "-m", "convert", "zoo", str(make_zoo(tmp_path / "zoo", 6, saboteurs=saboteurs).manifest)]
    here, there = tmp_path / "here", tmp_path / "there"
    assert subprocess.run([*command, "-o", str(here)], cwd=_ROOT, capture_output=True, check=False).returncode == 4
    with _two_machines() as cluster:
        (other,) = cluster.worker_nodes
        raylet = psutil.Process(other.all_processes["raylet"][0].process.pid)
        on_ray = [*command, "-o", str(there), "--engine", "ray", "--ray-address", cluster.address]
        with subprocess.Popen(on_ray, cwd=_ROOT, stderr=subprocess.PIPE, text=True) as run:
            while len(list(there.glob("store/results/*/*.json"))) < 2 or not _converts(raylet):
                assert run.poll() is None, run.stderr and run.stderr.read()
                time.sleep(0.1)
            for process in [raylet, *raylet.children()]:
                process.kill()
            _, told = run.communicate()
    assert run.returncode == 4, told
    assert "machine was lost" in told
    assert zoo_differences(here, there) == []
    assert _rows(here) == _rows(there)


def _converts(raylet: psutil.Process) -> bool:
    """Whether a job runs on that machine: one of its wrapper's fork servers has a child."""
    with contextlib.suppress(psutil.NoSuchProcess):
        servers = {each.pid: each for each in raylet.children(recursive=True) if "fork_server" in _words(each)}
        return any(each.ppid() in servers for each in servers.values())
    return False


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _rows(output: Path) -> Any:
    return normalised(json.loads((output / "zoo.json").read_text(encoding="utf-8"))["rows"])


def _lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
