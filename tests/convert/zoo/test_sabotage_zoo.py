"""A zoo among whose models some crash, hang, fork, flood and lie: each costs itself, and nothing is left of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sabotage.make_zoo import make_zoo
from sabotage.unattended import Sabotaged, run_unattended

from convert.zoo.summary.types import Standing

pytestmark = pytest.mark.slow

GOOD_MODELS = 20
DISK_BYTES = 8 * 2**20
LOG_BYTES = 2**20
OUTPUT_BYTES = 64 * 2**20
TORCHS_CACHE = "torchinductor_"
"""One folder a user, which torch makes where temporary files go and keeps for the next process."""


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """A file system of 8 MiB; ``None`` where only root could mount one."""
    folder = tmp_path_factory.mktemp("small_disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        yield None
        return
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small_disk: Path | None) -> Sabotaged:
    folder = tmp_path_factory.mktemp("sabotage")
    return run_unattended(make_zoo(folder / "zoo", GOOD_MODELS, small_disk=small_disk), folder)


def test_every_good_model_is_converted(run: Sabotaged) -> None:
    good = [row for row in run.report.rows if row.id.startswith("good")]
    assert len(good) == GOOD_MODELS
    assert {row.id: row.why for row in good if row.standing is not Standing.PASS} == {}
    for row in good:
        assert (run.output / row.folder / "report.html").exists()
        assert (run.output / row.folder / f"{row.id}_int8.tflite").exists()


def test_every_saboteur_is_told_by_what_it_did(run: Sabotaged) -> None:
    assert run.labels == run.zoo.expected


def test_a_fork_bomb_a_flood_and_a_full_disk_are_told_apart(run: Sabotaged) -> None:
    told = {row.id: row.why for row in run.report.rows}
    assert "processes" in told["fork_bomb"]
    assert "printed" in told["chatter"]
    if "full_disk" in told:
        assert "no space left" in told["full_disk"]


def test_greed_is_tried_once_more_with_twice_the_memory_and_a_crash_is_not(run: Sabotaged) -> None:
    attempts = {row.id: row.result.attempts for row in run.report.rows if row.result is not None}
    assert attempts.pop("greedy") == 2
    assert set(attempts.values()) == {1}


def test_no_process_is_left(run: Sabotaged) -> None:
    assert run.processes_left == ()


def test_what_a_checkpoint_would_execute_is_not_executed(run: Sabotaged) -> None:
    assert not run.zoo.payload.exists()


def test_nothing_is_left_in_the_scratch_folders(run: Sabotaged, small_disk: Path | None) -> None:
    assert list((run.output / "scratch").glob("*")) == []
    assert small_disk is None or list(small_disk.iterdir()) == []
    assert [name for name in run.temporary_files_left if not name.startswith(TORCHS_CACHE)] == []


def test_a_flood_of_output_does_not_reach_the_disk(run: Sabotaged) -> None:
    assert (run.output / "jobs" / "chatter" / "log.txt").stat().st_size <= LOG_BYTES
    assert disk_bytes(run.output) <= OUTPUT_BYTES


def test_the_summary_is_complete_and_a_failed_model_has_its_log(run: Sabotaged) -> None:
    page = (run.output / "zoo.html").read_text(encoding="utf-8")
    for row in run.report.rows:
        assert row.id in page
        if row.standing is not Standing.PASS:
            assert row.why
            assert row.result is not None
            assert row.result.fix
    logs = {row.id: run.output / row.log for row in run.report.rows if row.log}
    assert logs.keys() >= {"segfault", "abort", "chatter", "corrupt", "malicious"}
    assert "Segmentation fault" in logs["segfault"].read_text(encoding="utf-8")
    assert all(log.stat().st_size > 0 for log in logs.values())
    for suffix in ("csv", "junit.xml", "md"):
        assert (run.output / f"zoo.{suffix}").exists()


def test_the_exit_code_is_that_of_the_worst(run: Sabotaged) -> None:
    assert run.exit_code == 4


def disk_bytes(folder: Path) -> int:
    """What a folder takes; files with several names count once."""
    stats = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return sum({stat.st_ino: stat.st_size for stat in stats}.values())
