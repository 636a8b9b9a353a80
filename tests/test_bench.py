from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
MEBIBYTE = 1 << 20


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_memory_of_a_command_counts_its_children(tmp_path):
    from process_tree import run_measured

    child = f"import time; block = b'x' * {150 * MEBIBYTE}; time.sleep(1.5)"
    parent = (
        f"import subprocess, sys; block = b'x' * {100 * MEBIBYTE}; subprocess.run([sys.executable, '-c', {child!r}])"
    )
    run = run_measured([sys.executable, "-c", parent], tmp_path / "log")
    assert run.exit_code == 0
    assert run.seconds > 1.5
    assert 250 * MEBIBYTE < run.peak_pss_bytes <= run.peak_rss_bytes < 400 * MEBIBYTE


def test_memory_that_processes_share_counts_once(tmp_path):
    from process_tree import run_measured

    forks = f"import os, time; block = b'x' * {150 * MEBIBYTE}; os.fork(); os.fork(); time.sleep(1.5)"
    run = run_measured([sys.executable, "-c", forks], tmp_path / "log")
    assert run.peak_pss_bytes < 250 * MEBIBYTE
    assert run.peak_rss_bytes > 500 * MEBIBYTE


def test_a_failing_command_keeps_its_exit_code_and_its_words(tmp_path):
    from process_tree import run_measured

    assert (
        run_measured([sys.executable, "-c", "import sys; print('why'); sys.exit(7)"], tmp_path / "log").exit_code == 7
    )
    assert (tmp_path / "log").read_text().strip() == "why"


def test_the_page_says_which_promises_do_not_hold():
    from bench import Latency, NetBench, render
    from process_tree import Run

    def net(name: str, ours_s: float, theirs_s: float, gigabytes: float, ratio: float) -> NetBench:
        ours = Run("convert", ours_s, ours_s, 0, int(gigabytes * 1e9), int(gigabytes * 1e9))
        return NetBench(name, ours, Run("onnx2tf", theirs_s, theirs_s, 0, 10**9, 10**9), Latency(1.0, 1.0, ratio, 30))

    page = render([net("alexnet", 10, 200, 3.6, 0.9), net("mobilenet_v2", 10, 24, 1, 1.06)], 0.2, 1)
    assert "| alexnet ≥ 15× faster | 20.0× | holds |" in page
    assert "| alexnet ≤ 3.5 GB | 3.60 GB | **does not hold** |" in page
    assert "| mobilenet_v2 ≥ 2.5× faster | 2.4× | **does not hold** |" in page
    assert "| latency ≤ 1.05× | 1.06× (mobilenet_v2) | **does not hold** |" in page
    assert "| `convert --help` < 0.3 s | 0.20 s | holds |" in page
