"""Float models made once a session, their calibration samples, and ways to quantize and run them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quantize.jobs import make_int8
from quantize.recipe import IoType
from verify.artifact import Artifact, Format
from verify.batches import batch_name, read_batch, write_batch
from verify.runners import run_artifact
from verify.runners.tflite_file import tflite_signature
from verify.signature import Signature, TensorSpec
from verify.worker import Worker

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def float_models(tmp_path_factory) -> Path:
    """A folder of float TFLite files (make_float_models.py), and of samples for them: ``image.npz`` and ``ids.npz``."""
    folder = tmp_path_factory.mktemp("float_models")
    subprocess.run([sys.executable, HERE / "make_float_models.py", folder], check=True, capture_output=True)
    random = np.random.default_rng(1)
    write_batch(folder / "image.npz", {"image": random.normal(size=(24, 16, 16, 3)).astype(np.float32)})
    write_batch(folder / "ids.npz", {"ids": random.integers(0, 50, (24, 6)).astype(np.int32)})
    return folder


@pytest.fixture(scope="session")
def by_hand(float_models, tmp_path_factory) -> Path:
    """The same models quantized by the library alone (by_hand.py); ``one/`` holds them calibrated on one sample."""
    folder = tmp_path_factory.mktemp("by_hand")
    for name, count in ((".", 24), ("one", 1)):
        (folder / name).mkdir(exist_ok=True)
        pairs = [("mixed", "image"), ("plain", "image"), ("leaky", "image"), ("tokens", "ids")]
        arguments = [f"{float_models / model}.tflite:{float_models / samples}.npz" for model, samples in pairs]
        command = [sys.executable, HERE / "by_hand.py", folder / name, str(count), *arguments]
        subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def worker(tmp_path_factory):
    with Worker("runtime", log_path=tmp_path_factory.mktemp("logs") / "runtime.log") as worker:
        yield worker


@pytest.fixture(scope="session")
def int8(float_models, worker, tmp_path_factory):
    """``int8("mixed", IoType.UINT8)`` → the quantized file and its result, made once."""
    folder = tmp_path_factory.mktemp("int8")
    made = {}

    def make(model: str, io: IoType = IoType.INT8):
        if (model, io) not in made:
            source = float_models / f"{model}.tflite"
            out = folder / f"{model}_{io}.tflite"
            samples = float_models / ("ids.npz" if model == "tokens" else "image.npz")
            signature = tflite_signature(source, {})
            job = worker.run(
                make_int8, model=source, out=out, calibration=samples, signature=signature, io=io, max_samples=128
            )
            made[model, io] = out, job.value
        return made[model, io]

    return make


@pytest.fixture
def infer(worker, tmp_path):
    """``infer(path, {name: array})`` → outputs exactly as the file stores them, in a process of its own."""

    def run(path: Path, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        own = tflite_signature(path, {})
        stored = Signature(_as_stored(own.inputs), _as_stored(own.outputs))
        write_batch(tmp_path / "inputs" / batch_name(0), inputs)
        artifact = Artifact(path, Format.TFLITE, stored, "")
        folders = {"batches": tmp_path / "inputs", "outputs": tmp_path / "out"}
        worker.run(run_artifact, artifact=artifact, **folders, measure_latency=False)
        return read_batch(tmp_path / "out" / batch_name(0))

    return run


def _as_stored(specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    return tuple(replace(spec, quantization=None) for spec in specs)
