"""A few saboteurs among a few good models; test_sabotage_zoo.py has all of them."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

from sabotage.make_zoo import SABOTEURS, make_zoo
from sabotage.unattended import MARK, processes_of, run_unattended


def test_two_good_models_outlive_a_crash_a_fork_bomb_and_a_malicious_file(tmp_path: Path) -> None:
    quick = [each for each in SABOTEURS if each.id in {"segfault", "fork_bomb", "malicious"}]
    run = run_unattended(make_zoo(tmp_path / "zoo", 2, quick), tmp_path)
    assert run.labels == run.zoo.expected
    assert run.processes_left == ()
    assert not run.zoo.payload.exists()
    assert run.exit_code == 4


def test_a_process_that_was_left_would_be_seen(tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    sleep = [sys.executable, "-c", "import time; time.sleep(20)"]
    with subprocess.Popen(sleep, env={**os.environ, MARK: mark}, start_new_session=True) as left:
        found = list(processes_of(mark, tmp_path))
        left.kill()
    assert [int(process.split()[0]) for process in found] == [left.pid]
