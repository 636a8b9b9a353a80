"""Feeding batches to the models of a chain: jobs that build a session once, and note what a model will not run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from verify.artifact import Artifact
from verify.batches import Array, batch_paths, read_batch, write_batch
from verify.errors import InputError, ModelUnreadable
from verify.machine_fault import machine_fault
from verify.model import ModelSource
from verify.runners import open_runner
from verify.runners.base import Batch
from verify.runners.feed import brief_latency_ms, single_sample, stored_inputs, torch_outputs

Infer = Callable[[Batch], dict[str, Array]]


@dataclass(frozen=True)
class RefusedBatch:
    """A batch that a model could not be run on."""

    file: str
    shapes: str
    """``image (1, 3, 48, 80)``."""
    reason: str


@dataclass(frozen=True)
class Fed:
    """What feeding a model came to. ``latency_ms`` is the median of single-sample inferences."""

    latency_ms: float | None
    refused: tuple[RefusedBatch, ...] = ()


def feed_model(*, artifact: Artifact, batches: Path, outputs: Path, measure_latency: bool = True) -> Fed:
    """Job: run an ONNX, SavedModel or TFLite model; see :func:`feed_checkpoint` for what is written and raised."""
    with open_runner(artifact) as runner:

        def infer(batch: Batch) -> dict[str, Array]:
            return torch_outputs(runner.signature, runner.infer(stored_inputs(runner.signature, batch)))

        fed = _feed(infer, batches, outputs)
        if not measure_latency:
            return Fed(None, fed)
        single = stored_inputs(runner.signature, single_sample(read_batch(batch_paths(batches)[0])))
        return Fed(_latency(lambda: runner.infer(single)), fed)


def feed_checkpoint(
    *,
    source: ModelSource,
    output_names: tuple[str, ...],
    batches: Path,
    outputs: Path,
    precision: str,
    measure_latency: bool = False,
) -> Fed:
    """Job: run a PyTorch model over every batch of a folder and write its outputs under the same file names.

    A batch that the model cannot run is noted and left out; when it runs none, the first error is raised as a
    ``ModelUnreadable``.
    """
    from verify.checkpoint import open_model
    from verify.runners.torch_runner import Reference, TorchRunner

    opened = open_model(source)
    names = output_names or opened.description.output_names
    reference = Reference(opened.module, tuple(spec.name for spec in opened.description.inputs), names)
    with TorchRunner(reference, precision) as runner:
        fed = _feed(runner.infer, batches, outputs)
        if not measure_latency:
            return Fed(None, fed)
        single = single_sample(read_batch(batch_paths(batches)[0]))
        return Fed(_latency(lambda: runner.infer(single)), fed)


def _feed(infer: Infer, batches: Path, outputs: Path) -> tuple[RefusedBatch, ...]:
    outputs.mkdir(parents=True, exist_ok=True)
    refused: list[RefusedBatch] = []
    paths = batch_paths(batches)
    for path in paths:
        batch = read_batch(path)
        with _refusals(path, batch, refused):
            write_batch(outputs / path.name, infer(batch))
    if len(refused) == len(paths):
        raise ModelUnreadable(
            f"the model cannot be run on {refused[0].shapes}: {refused[0].reason}",
            fix="check that the samples are what the model takes",
        )
    return tuple(refused)


@contextlib.contextmanager
def _refusals(path: Path, batch: Batch, refused: list[RefusedBatch]) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a PyTorch model raises whatever its code does
        if isinstance(error, InputError) and not isinstance(error, ModelUnreadable):
            raise
        if machine_fault(error, "inference") is not None or isinstance(error, OSError):
            raise
        shapes = ", ".join(f"{name} {array.shape}" for name, array in batch.items())
        refused.append(RefusedBatch(path.name, shapes, f"{error}".splitlines()[0] if str(error) else repr(error)))


def _latency(infer: Callable[[], object]) -> float | None:
    try:
        return brief_latency_ms(infer)
    except Exception:  # a model of a fixed batch takes no single sample
        return None
