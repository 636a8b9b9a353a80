"""Jobs of verify_speed.py: the samples through a model and nothing else, in a process of its framework."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from verify.artifact import Artifact
from verify.batches import Array, batch_paths, read_batch
from verify.model import ModelSource
from verify.runners.base import Batch


@dataclass(frozen=True)
class Bare:
    """Seconds to open the model, and to run every batch through it once; of the latter those of the processor too."""

    name: str
    open_s: float
    infer_s: float
    infer_cpu_s: float


def answer() -> float:
    """What a worker does first, its process up and what it preloads imported: the processor seconds that took."""
    return time.process_time()


def bare_model(artifact: Artifact, batches: Path) -> Bare:
    """An ONNX, SavedModel or TFLite model."""
    from verify.runners import open_runner
    from verify.runners.feed import stored_inputs

    fed = [stored_inputs(artifact.signature, read_batch(path)) for path in batch_paths(batches)]
    started = time.perf_counter()
    with open_runner(artifact) as runner:
        opening_s = time.perf_counter() - started
        return _inferred(artifact.path.name, opening_s, runner.infer, fed)


def bare_checkpoint(source: ModelSource, batches: Path) -> Bare:
    """The PyTorch model in float32."""
    from verify.checkpoint import open_model
    from verify.runners.torch_runner import Reference, TorchRunner

    fed = [read_batch(path) for path in batch_paths(batches)]
    started = time.perf_counter()
    opened = open_model(source)
    reference = Reference(opened.module, tuple(spec.name for spec in opened.description.inputs))
    with TorchRunner(reference, "float32") as runner:
        opening_s = time.perf_counter() - started
        return _inferred(source.path.name, opening_s, runner.infer, fed)


def _inferred(name: str, opening_s: float, infer: Callable[[Batch], object], fed: list[dict[str, Array]]) -> Bare:
    started, used = time.perf_counter(), time.process_time()
    for batch in fed:
        infer(batch)
    return Bare(name, opening_s, time.perf_counter() - started, time.process_time() - used)
