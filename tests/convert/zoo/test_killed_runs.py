"""A run whose scheduler is killed by SIGKILL at any moment: the next one completes it, and nobody could tell."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from sabotage.make_zoo import SABOTEURS, make_zoo
from same_results import normalised, zoo_differences

from verify.errors import ExitCode

ROOT = Path(__file__).parents[3]
GOOD_MODELS = 3
SABOTEURS_AMONG_THEM = ("segfault", "corrupt")
MOST_SECONDS = 300


@dataclass(frozen=True)
class Undisturbed:
    """A zoo and the output folder of a run that nobody killed."""

    manifest: Path
    output: Path
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("killed")
    saboteurs = [each for each in SABOTEURS if each.id in SABOTEURS_AMONG_THEM]
    manifest = make_zoo(folder / "zoo", GOOD_MODELS, saboteurs=saboteurs).manifest
    started = time.monotonic()
    assert finish(manifest, folder / "out") == ExitCode.INFRASTRUCTURE  # the segmentation fault is the worst
    return Undisturbed(manifest, folder / "out", time.monotonic() - started)


def command(manifest: Path, output: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "convert",
        "zoo",
        str(manifest),
        "-o",
        str(output),
        "--jobs",
        "2",
        "--memory",
        "10GiB",
    ]


def finish(manifest: Path, output: Path) -> int:
    done = subprocess.run(command(manifest, output), cwd=ROOT, capture_output=True, check=False, timeout=MOST_SECONDS)
    return done.returncode


def kill_after(seconds: float, manifest: Path, output: Path) -> None:
    process = subprocess.Popen(
        command(manifest, output), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()


def finished_results(output: Path) -> dict[str, int]:
    """Results in the store, by path, with the time they were written."""
    return {str(path): path.stat().st_ino for path in (output / "store" / "results").rglob("*.json")}


def summary(output: Path) -> object:
    return normalised(json.loads((output / "zoo.json").read_text(encoding="utf-8")))


def check_survives(moments: list[float], undisturbed: Undisturbed, folder: Path) -> None:
    for moment in moments:
        output = folder / f"killed_at_{moment:.2f}"
        kill_after(moment, undisturbed.manifest, output)
        before = finished_results(output)
        assert finish(undisturbed.manifest, output) == ExitCode.INFRASTRUCTURE, f"killed at {moment:.2f} s"
        after = finished_results(output)
        assert before.items() <= after.items(), f"killed at {moment:.2f} s: a finished job ran again"
        assert zoo_differences(undisturbed.output, output) == [], f"killed at {moment:.2f} s"
        assert summary(output) == summary(undisturbed.output), f"killed at {moment:.2f} s"
        assert list((output / "scratch").iterdir()) == [], f"killed at {moment:.2f} s"
        shutil.rmtree(output)


def test_a_killed_run_is_completed_by_the_next(undisturbed: Undisturbed, tmp_path: Path) -> None:
    check_survives([0.6 * undisturbed.seconds], undisturbed, tmp_path)


@pytest.mark.slow
def test_fifty_runs_killed_at_random_moments_all_come_to_the_same(undisturbed: Undisturbed, tmp_path: Path) -> None:
    draw = random.Random(0)
    check_survives([draw.uniform(0.0, 1.02 * undisturbed.seconds) for _ in range(50)], undisturbed, tmp_path)
