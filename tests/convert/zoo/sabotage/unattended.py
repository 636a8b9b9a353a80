"""Runs a zoo as a nightly job would, and looks at what it left on the machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sabotage.make_zoo import SabotageZoo

from convert.zoo.summary.json import read_report
from convert.zoo.summary.standing import label
from convert.zoo.summary.types import ZooReport

ROOT = Path(__file__).parents[4]
MARK = "ZOO_TEST_MARK"
MOST_SECONDS = 600

_KILLED_FIRST = 'echo 1000 > /proc/self/oom_score_adj; exec "$@"'
"""Should the memory limit fail, the kernel takes the run, not whatever else this machine does."""


@dataclass(frozen=True)
class Sabotaged:
    """The zoo, and what one unattended run of it came to."""

    zoo: SabotageZoo
    output: Path
    report: ZooReport
    exit_code: int
    processes_left: tuple[str, ...]
    temporary_files_left: tuple[str, ...]

    @property
    def labels(self) -> dict[str, str]:
        """How each model ended, by id."""
        return {row.id: label(row) for row in self.report.rows}


def run_unattended(zoo: SabotageZoo, folder: Path) -> Sabotaged:
    """Run a zoo as a nightly job would, two models at a time, and look at once for what it left."""
    output, mark = folder / "out", uuid.uuid4().hex
    command = [sys.executable, "-m", "convert", "zoo", str(zoo.manifest), "-o", str(output), "--jobs", "2"]
    with tempfile.TemporaryDirectory() as temporary:
        finished = subprocess.run(
            ["sh", "-c", _KILLED_FIRST, "sh", *command, "--memory", "12GiB"],
            cwd=ROOT,
            env={**os.environ, MARK: mark, "TMPDIR": temporary},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            check=False,
        )
        processes_left = tuple(processes_of(mark, folder))
        temporary_files_left = tuple(path.name for path in Path(temporary).iterdir())
    assert (output / "zoo.json").exists(), finished.stdout + finished.stderr
    report = read_report(output / "zoo.json")
    return Sabotaged(zoo, output, report, finished.returncode, processes_left, temporary_files_left)


def processes_of(mark: str, folder: Path) -> Iterator[str]:
    """Processes that the run started, by the mark in their environment, or that stand in its folder."""
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            marked = wanted in (entry / "environ").read_bytes().split(b"\0")
            inside = (entry / "cwd").resolve().is_relative_to(folder)
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if marked or inside:
            yield f"{entry.name} {command}"
