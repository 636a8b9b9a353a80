"""Feeding a folder of batches to a runner, and timing single samples."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from verify.batches import Array, batch_paths, read_batch, write_batch
from verify.errors import SamplesInvalid
from verify.runners.base import Batch, Runner
from verify.runners.check import check_torch_batch
from verify.runners.record import RunRecord
from verify.signature import Signature

WARM_UP_RUNS = 2
MIN_TIMED_RUNS = 5
BRIEF_TIMED_RUNS = 3
MAX_TIMED_RUNS = 50
TIMING_BUDGET_S = 0.3


def feed_batches(runner: Runner, batches: Path, outputs: Path, *, measure_latency: bool) -> RunRecord:
    """Run every batch of a folder and write what comes out under the same file names, in PyTorch layout."""
    paths = batch_paths(batches)
    if not paths:
        raise SamplesInvalid(f"no batch files in {batches}: expected batch_000.npz and so on")
    outputs.mkdir(parents=True, exist_ok=True)
    sizes = []
    single: Batch = {}
    for path in paths:
        stored = stored_inputs(runner.signature, read_batch(path))
        single = single or single_sample(stored)
        sizes.append(_batch_size(stored))
        write_batch(outputs / path.name, torch_outputs(runner.signature, runner.infer(stored)))
    return RunRecord(latency_ms(runner, single) if measure_latency else None, tuple(sizes))


def single_sample(batch: Batch) -> dict[str, Array]:
    """The first sample of a batch."""
    return {name: array[:1] for name, array in batch.items()}


def stored_inputs(signature: Signature, batch: Batch) -> dict[str, Array]:
    """A batch in PyTorch layout as the model stores it; raises ``SamplesInvalid`` when it does not fit."""
    check_torch_batch(signature, batch)
    return {spec.name: spec.from_torch(batch[spec.name]) for spec in signature.inputs}


def torch_outputs(signature: Signature, outputs: Batch) -> dict[str, Array]:
    """Outputs as stored → real values in PyTorch layout; an output that the signature does not know stays as it is."""
    known = {spec.name: spec for spec in signature.outputs}
    return {name: known[name].to_torch(array) if name in known else array for name, array in outputs.items()}


def latency_ms(runner: Runner, single: Batch) -> float:
    """Median of single-sample inferences after warm-up: at least five, then as many as fit in 0.3 s."""
    for _ in range(WARM_UP_RUNS):
        runner.infer(single)
    return _median_ms(lambda: runner.infer(single), MIN_TIMED_RUNS, TIMING_BUDGET_S)


def brief_latency_ms(infer: Callable[[], object]) -> float:
    """As :func:`latency_ms`, of a model that has just run other batches: the median of three, whatever the first is."""
    return _median_ms(infer, BRIEF_TIMED_RUNS)


def _median_ms(infer: Callable[[], object], fewest: int, budget_s: float = 0.0) -> float:
    timings: list[float] = []
    while len(timings) < fewest or (sum(timings) < budget_s and len(timings) < MAX_TIMED_RUNS):
        started = time.perf_counter()
        infer()
        timings.append(time.perf_counter() - started)
    return statistics.median(timings) * 1000


def _batch_size(batch: Batch) -> int:
    return max((array.shape[0] for array in batch.values() if array.ndim), default=1)
