"""Jobs of verify_speed.py: the samples through a model and nothing else, in a process of its framework."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from verify.artifact import Artifact
from verify.batches import batch_paths, read_batch
from verify.model import ModelSource


@dataclass(frozen=True)
class Bare:
    """Seconds to open the model, and to run every batch through it once."""

    name: str
    open_s: float
    infer_s: float


def answer() -> int:
    """What a worker does first: its process is up, what it preloads is imported."""
    return 0


def bare_model(artifact: Artifact, batches: Path) -> Bare:
    """An ONNX, SavedModel or TFLite model."""
    from verify.runners import open_runner
    from verify.runners.feed import stored_inputs

    fed = [stored_inputs(artifact.signature, read_batch(path)) for path in batch_paths(batches)]
    started = time.perf_counter()
    with open_runner(artifact) as runner:
        opened = time.perf_counter()
        for batch in fed:
            runner.infer(batch)
        return Bare(artifact.path.name, opened - started, time.perf_counter() - opened)


def bare_checkpoint(source: ModelSource, batches: Path) -> Bare:
    """The PyTorch model in float32."""
    from verify.checkpoint import open_model
    from verify.runners.torch_runner import Reference, TorchRunner

    fed = [read_batch(path) for path in batch_paths(batches)]
    started = time.perf_counter()
    opened = open_model(source)
    reference = Reference(opened.module, tuple(spec.name for spec in opened.description.inputs))
    with TorchRunner(reference, "float32") as runner:
        loaded = time.perf_counter()
        for batch in fed:
            runner.infer(batch)
        return Bare(source.path.name, loaded - started, time.perf_counter() - loaded)
