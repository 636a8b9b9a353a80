"""``verify --lock`` as a user meets it: record, agree, drift, and a lock that is broken."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from make_onnx_model import write_onnx_net

from verify.errors import ExitCode


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_onnx_net(folder / "a.onnx")
    write_onnx_net(folder / "b.onnx")
    return folder


def _verify(folder, *arguments):
    command = [sys.executable, "-m", "verify", "a.onnx", "b.onnx", "-q", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=folder)


def test_a_drift_within_the_budget_fails_once_less_was_recorded(models):
    first = _verify(models, "--lock", "parity.lock.json")
    assert first.returncode == ExitCode.PASS, first.stderr
    assert "Recorded 2 outputs in parity.lock.json: commit it." in first.stdout
    write_onnx_net(models / "b.onnx", gain=1.0000005)  # some four noise floors
    assert _verify(models).returncode == ExitCode.PASS
    second = _verify(models, "--lock", "parity.lock.json", "--annotations", "--format", "junit")
    assert second.returncode == ExitCode.PARITY_FAILED
    assert second.stdout.startswith("<?xml")
    assert "worse than recorded" in second.stdout
    assert second.stderr.startswith("::error title=verify%3A a.onnx → b.onnx%2C logits%3A worse than recorded::")
    third = _verify(models, "--lock", "parity.lock.json", "--update-lock", "--json")
    assert third.returncode == ExitCode.PASS
    assert json.loads(third.stdout)["baseline"]["recorded"]
    assert _verify(models, "--lock", "parity.lock.json").returncode == ExitCode.PASS


def test_a_broken_lock_and_a_wrong_option_exit_2(models):
    (models / "broken.lock.json").write_text("{\n  oops", encoding="utf-8")
    result = _verify(models, "--lock", "broken.lock.json")
    assert result.returncode == ExitCode.BAD_INPUT
    assert "broken.lock.json, line 2, column 3: " in result.stderr
    assert _verify(models, "--update-lock").returncode == ExitCode.BAD_INPUT
    assert "expected one of text, json" in _verify(models, "--format", "xml").stderr
