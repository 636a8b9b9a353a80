"""What runs of the whole pipeline share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import lowering_jobs
import pytest
from adversarial_graphs import Build, Ops, save_one

from convert.hosts import WarmHosts
from convert.stages.base import Host
from convert.stages.lower import OnnxToSavedModel
from convert.zoo.preload import PRELOAD
from verify.fork_server import ForkServer, can_fork_warm
from verify.worker import Worker

RIGHT_DB = 110.0
"""float32 rounding over a few layers; a wrong axis or a wrong pad is below 30."""


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmHosts]:
    """Fork servers, as a slot of a zoo has them: frameworks are imported once for all tests of a module."""
    if not can_fork_warm():
        yield WarmHosts()
        return
    with ExitStack() as running, TemporaryDirectory(prefix="warm-", dir="/tmp") as place:
        log = tmp_path_factory.mktemp("log") / "log"
        servers = {
            host: running.enter_context(ForkServer(Path(place) / host.value, PRELOAD[host], log_path=log))
            for host in Host
        }
        yield WarmHosts({host: server.socket for host, server in servers.items()})


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A process with TensorFlow, one a module: jobs that lower, compile and run small graphs."""
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    with Worker("tensorflow", log_path=log, preload=("tensorflow",)) as running:
        yield running


@pytest.fixture
def ops(worker: Worker, tmp_path: Path) -> Ops:
    """Builds a graph, converts it, holds it against onnxruntime, and counts the ops of its TFLite file."""

    def run(build: Build) -> dict[str, int]:
        path = save_one(build, tmp_path / "net.onnx")
        stage = OnnxToSavedModel(lowering="exact").to_json()
        outcome = worker.run(lowering_jobs.convert_and_compare, onnx_path=path, folder=tmp_path, stage=stage).value
        assert min(outcome.saved_model_db, outcome.tflite_db) >= RIGHT_DB
        return outcome.tflite_ops

    return run
