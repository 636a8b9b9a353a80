"""Models that several test files share, made once a session, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from verify.worker import Worker


@pytest.fixture(scope="session")
def tf_models(tmp_path_factory) -> Path:
    """A folder with ``net_saved_model`` and ``net_{float32,dynamic_int8,int8}.tflite``; see make_tf_models.py."""
    folder = tmp_path_factory.mktemp("tf_models")
    script = Path(__file__).with_name("make_tf_models.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def tensorflow_worker(tmp_path_factory):
    log = tmp_path_factory.mktemp("logs") / "tensorflow.log"
    with Worker("tensorflow", log_path=log, preload=("tensorflow",)) as worker:
        yield worker


@pytest.fixture(scope="session")
def runtime_worker(tmp_path_factory):
    log = tmp_path_factory.mktemp("logs") / "runtime.log"
    with Worker("runtime", log_path=log) as worker:
        yield worker


@pytest.fixture(scope="session")
def torch_models(tmp_path_factory) -> Path:
    """A folder with ``net.pth`` and ``net.pt2``, the net of ``tf_models``; see torch_net.py."""
    folder = tmp_path_factory.mktemp("torch_models")
    script = Path(__file__).with_name("torch_net.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder
