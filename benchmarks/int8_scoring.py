"""Running the files of a row, each in a worker that it may abort, and comparing what they give with the float file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from int8_nets import ROOT, Prepared
from int8_types import Quality

from quantize.load_check import BATCH_SIZES
from verify.errors import ToolError
from verify.metrics import Array, error_sums
from verify.runners.tflite_file import tflite_signature_like
from verify.runners.tflite_runner import TfliteRunner
from verify.signature import Signature
from verify.task.intervals import paired_drop
from verify.task.measures import Measure
from verify.worker import Worker

SAME_DB = 40.0
"""A batch gives what its samples give alone, but for the order of float additions."""


@dataclass(frozen=True)
class Ran:
    """A file's outputs on every sample, in PyTorch layout, and the batch sizes at which it gives the same."""

    outputs: Mapping[str, Array]
    batches: tuple[int, ...]


def run_file(path: Path, net: Prepared, scratch: Path, *, batches: bool = False) -> Ran:
    """Every sample alone, then the first few in ``batches``; raises ``ToolError`` when the file does not run alone.

    A batch that aborts LiteRT ends it: larger ones are not tried.
    """
    given = {"path": path, "signature": net.signature, "samples": net.evaluation, "out": scratch / f"{path.stem}.npz"}
    with Worker("runtime", log_path=scratch / "runtime.log") as worker:
        worker.run(infer_all, **given)
        outputs = _read(given["out"])
        if not batches:
            return Ran(outputs, ())
        alike = [size for size in BATCH_SIZES if not worker.dead and _runs_at(size, worker, given, outputs)]
        return Ran(outputs, tuple(alike))


def _runs_at(size: int, worker: Worker, given: dict[str, Any], alone: Mapping[str, Array]) -> bool:
    try:
        worker.run(infer_batch, batch_size=size, **given)
    except ToolError:
        return False
    together = _read(given["out"])
    return all(
        found.shape == alone[name][:size].shape and _db(alone[name][:size], found) >= SAME_DB
        for name, found in together.items()
    )


def _read(path: Path) -> dict[str, Array]:
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def float_pass_s(net: Prepared, scratch: Path) -> float:
    """How long the float file takes for every calibration sample once, LiteRT's start included."""
    made = scratch / "pass.npz"
    with Worker("runtime", log_path=scratch / "runtime.log") as worker:
        took = worker.run(infer_all, path=net.float32, signature=net.signature, samples=net.calibration, out=made)
    return took.seconds


def infer_all(path: Path, signature: Signature, samples: Path, out: Path) -> None:
    """Write the outputs of every sample, run one at a time."""
    _infer(path, tflite_signature_like(path, signature), _inputs(samples, signature), 1, out)


def infer_batch(path: Path, signature: Signature, samples: Path, batch_size: int, out: Path) -> None:
    """Write the outputs of the first batch."""
    first = {name: array[:batch_size] for name, array in _inputs(samples, signature).items()}
    _infer(path, tflite_signature_like(path, signature), first, batch_size, out)


def _inputs(samples: Path, signature: Signature) -> dict[str, Array]:
    arrays = _read(samples)
    return {spec.name: arrays[spec.name] for spec in signature.inputs}


def _infer(path: Path, own: Signature, inputs: Mapping[str, Array], size: int, out: Path) -> None:
    made: dict[str, list[Array]] = {spec.name: [] for spec in own.outputs}
    with TfliteRunner(path, own) as runner:
        for start in range(0, len(next(iter(inputs.values()))), size):
            rows = {spec.name: inputs[spec.name][start : start + size] for spec in own.inputs}
            found = runner.infer({spec.name: spec.from_torch(rows[spec.name]) for spec in own.inputs})
            for spec in own.outputs:
                made[spec.name].append(spec.to_torch(found[spec.name]))
    np.savez(out, **{name: np.concatenate(rows) for name, rows in made.items()})


def quality(expected: Ran, actual: Ran, measure: Measure | None, truth: Array | None) -> Quality:
    """How far a file is from the float file, and how much worse at the task."""
    sqnr = min(_db(expected.outputs[name], actual.outputs[name]) for name in expected.outputs)
    if measure is None or truth is None:
        return Quality(sqnr)
    before = measure.per_sample(dict(expected.outputs), truth)
    after = measure.per_sample(dict(actual.outputs), truth)
    low, high = paired_drop(before, after, measure)
    return Quality(sqnr, measure.of(after), measure.of(before) - measure.of(after), low, high)


def _db(expected: Array, actual: Array) -> float:
    """SQNR; 120 where all are the same."""
    found = error_sums(expected, actual).sqnr_db
    return 120.0 if found is None else min(found, 120.0)


def latencies(paths: Iterable[Path]) -> list[tuple[float, float]]:
    """Each file's median milliseconds at batch 1 on one thread, and the median of its turns over the first file's."""
    command = [sys.executable, str(ROOT / "benchmarks" / "latency.py"), "--all", *map(str, paths)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [(each["ms"], each["ratio"]) for each in json.loads(done.stdout)]
