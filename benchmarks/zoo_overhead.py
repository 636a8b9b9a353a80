"""What a zoo's machinery costs a job: many jobs that do nothing, through the scheduler, an engine and its wrappers.

    python benchmarks/zoo_overhead.py local --jobs 1000
    python benchmarks/zoo_overhead.py ray --jobs 1000 --slots 2

Prints JSON: wall time of all jobs over their number, with warm wrappers; processor time a job, of everything; and the
memory of the scheduler, and of what talks to Ray for it, at a tenth, a half and all of the jobs. Wrappers, fork servers
and Ray's own daemons are not counted in that: there is a fixed number of them.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from convert.zoo.engines.base import Engine
from convert.zoo.engines.local import LocalEngine
from convert.zoo.engines.ray_engine import RayEngine
from convert.zoo.job import GIB, Job, JobLimits, ModelTask, Source, SourceKind
from convert.zoo.result import JobResult, Outcome
from convert.zoo.scheduler import Scheduler

MIB = 2**20
WARM_UP_JOBS = 10


@dataclass(frozen=True)
class Overhead:
    """What came out; wall time suffers from whatever else the machine does, processor time hardly."""

    engine: str
    jobs: int
    slots: int
    wall_ms_per_job: float
    cpu_ms_per_job: float
    memory_mib: dict[str, float]


@dataclass
class Watcher:
    """Counts results, and weighs the scheduler when a tenth, a half and all are there."""

    total: int
    done: int = 0
    memory_mib: dict[str, float] = field(default_factory=dict)

    def started(self, job: Job) -> None:
        pass

    def finished(self, result: JobResult) -> None:
        if result.outcome is not Outcome.OK:
            raise RuntimeError(f"a job that does nothing came to {result}")
        self.done += 1
        for share in (10, 50, 100):
            if self.done == self.total * share // 100:
                self.memory_mib[f"{share} %"] = round(scheduler_bytes() / MIB, 1)

    def again(self, job: Job, why: str) -> None:
        raise RuntimeError(f"{job.id} must run again: {why}")

    def tick(self) -> None:
        pass


def measure(engine_name: str, jobs: int, slots: int, folder: Path) -> Overhead:
    engines: dict[str, Callable[[], AbstractContextManager[Engine]]] = {
        "local": lambda: LocalEngine(folder / "jobs", slots, 64 * GIB),
        "ray": lambda: RayEngine(folder / "jobs", slots, 64 * GIB),
    }
    with engines[engine_name]() as engine:
        Scheduler(engine, Watcher(WARM_UP_JOBS)).run(make_jobs("warm", WARM_UP_JOBS, folder))
        watcher = Watcher(jobs)
        began, cpu_began = time.perf_counter(), cpu_seconds()
        Scheduler(engine, watcher).run(make_jobs("job", jobs, folder))
        wall, cpu = time.perf_counter() - began, cpu_seconds() - cpu_began
    return Overhead(
        engine_name, jobs, slots, round(1000 * wall / jobs, 2), round(1000 * cpu / jobs, 2), watcher.memory_mib
    )


def make_jobs(prefix: str, count: int, folder: Path) -> list[Job]:
    task = ModelTask(Source(SourceKind.FILE, "none.pth"), "none")
    return [
        Job(
            id=f"{prefix}{number}",
            key=f"{prefix}{number}",
            task=task,
            folder=folder,
            scratch=folder / "scratch",
            store=str(folder / "store"),
            limits=JobLimits(memory_bytes=GIB),
            body="nothing:do_nothing",
        )
        for number in range(count)
    ]


def cpu_seconds() -> float:
    """Processor time of this process and all below it, of those that have ended too."""
    own = psutil.Process()
    return sum(sum(each.cpu_times()[:4]) for each in (own, *own.children(recursive=True)))


def scheduler_bytes() -> int:
    """Resident memory of this process, and of the one that talks to Ray."""
    own = psutil.Process()
    talkers = [each for each in own.children() if "convert.zoo.engines.ray_driver" in each.cmdline()]
    return sum(int(each.memory_info().rss) for each in (own, *talkers))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=("local", "ray"))
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zoo") as folder:
        print(json.dumps(asdict(measure(given.engine, given.jobs, given.slots, Path(folder))), indent=1))


if __name__ == "__main__":
    main()
