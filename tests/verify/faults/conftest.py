"""Nets that have something for almost every kind of fault, and their self-tests, made once a session."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from everything_onnx import write_everything
from self_tests import run_self_test

from verify.artifact import Artifact, Format, sha256_of
from verify.faults.result import SelfTest
from verify.runners.tflite_file import tflite_signature
from verify.signature_file import write_signatures


@pytest.fixture(scope="session")
def everything(tmp_path_factory) -> Path:
    """A folder with ``everything.onnx``, and ``everything.tflite`` and ``everything_int8.tflite``, of another net."""
    folder = tmp_path_factory.mktemp("everything")
    script = Path(__file__).with_name("make_everything_tflite.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    shutil.rmtree(folder / "everything")
    files = [folder / "everything.tflite", folder / "everything_int8.tflite"]
    write_signatures(
        folder,
        tuple(
            Artifact(path, Format.TFLITE, tflite_signature(path, {"image": (0, 2, 3, 1)}), sha256_of(path))
            for path in files
        ),
    )
    write_everything(folder / "everything.onnx")
    return folder


@pytest.fixture(scope="session")
def onnx_test(everything) -> SelfTest:
    return run_self_test(everything / "everything.onnx", everything / "everything.onnx")


@pytest.fixture(scope="session")
def tflite_test(everything) -> SelfTest:
    return run_self_test(everything / "everything.tflite", everything / "everything.tflite")


@pytest.fixture(scope="session")
def int8_test(everything) -> SelfTest:
    return run_self_test(everything / "everything.tflite", everything / "everything_int8.tflite")
