"""Running the wrapper as schedulers do, and finding every process that comes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from convert.zoo.files import read_result, write_job
from convert.zoo.job import MIB, Job, JobLimits, ModelTask, Source, SourceKind
from convert.zoo.result import JobResult

_MARK = "ISOLATION_TEST"
_SOON_SECONDS = 15.0
LIMITS = JobLimits(timeout_s=60.0, memory_bytes=600 * MIB, processes=48, log_bytes=4 * MIB)


@dataclass
class Wrapper:
    """A wrapper that serves; ``marked`` finds all its processes, whatever they became, by their environment."""

    folder: Path
    arguments: tuple[str, ...] = ()
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    jobs: int = 0

    def __enter__(self) -> Wrapper:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "convert.zoo.wrapper", "--serve", *self.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=environment(self.mark),
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait(_SOON_SECONDS)
        self.process.stdout.close()

    def run(self, body: str, limits: JobLimits = LIMITS, scratch: Path | None = None) -> JobResult:
        """Run a body of isolation_jobs.py and wait for its result."""
        self.start(body, limits, scratch)
        line = self.process.stdout.readline()
        return read_result(Path(json.loads(line)["result"]))

    def start(self, body: str, limits: JobLimits = LIMITS, scratch: Path | None = None) -> None:
        self.jobs += 1
        job = make_job(self.folder, f"{body}-{self.jobs}", body, limits, scratch)
        request = {
            "job": str(write_job(job, self.folder / "jobs")),
            "result": str(self.folder / job.id / "result.json"),
        }
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()

    def marked(self) -> set[int]:
        return marked(self.mark)


def make_job(folder: Path, name: str, body: str, limits: JobLimits = LIMITS, scratch: Path | None = None) -> Job:
    return Job(
        id=name,
        key=uuid.uuid4().hex,
        task=ModelTask(Source(SourceKind.FILE, "none.pth"), "none"),
        folder=folder,
        scratch=scratch or folder / "scratch",
        store=str(folder / "store"),
        limits=limits,
        body=f"isolation_jobs:{body}",
    )


def environment(mark: str) -> dict[str, str]:
    """Ours, marked, and with this folder on the import path."""
    path = [str(Path(__file__).parent), *(entry for entry in sys.path if entry)]
    return {**os.environ, _MARK: mark, "PYTHONPATH": os.pathsep.join(path)}


def marked(mark: str) -> set[int]:
    """Every process that inherited the mark and still runs."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environ, stat = (process / "environ").read_bytes(), (process / "stat").read_text()
        except OSError:
            continue
        if f"{_MARK}={mark}".encode() in environ and stat.rpartition(")")[2].split()[0] != "Z":
            found.add(int(process.name))
    return found


def gone_soon(mark: str) -> bool:
    deadline = time.monotonic() + _SOON_SECONDS
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not marked(mark)


def wait_for(folder: Path, pattern: str) -> Path:
    deadline = time.monotonic() + 4 * _SOON_SECONDS
    while time.monotonic() < deadline:
        for found in folder.glob(pattern):
            return found
        time.sleep(0.02)
    raise AssertionError(f"no {pattern}")


def control_groups(pid: int) -> list[Path]:
    """Those that a wrapper made and left."""
    return [
        Path(parent, name)
        for parent, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if name.startswith(f"pth2tflite-{pid}.")
    ]
