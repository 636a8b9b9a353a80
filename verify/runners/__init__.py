"""One file a format; one Runner protocol; and the job that runs any artifact over a folder of batches."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from verify.artifact import Artifact, Format
from verify.errors import InputError
from verify.runners.record import RunRecord

if TYPE_CHECKING:
    from verify.runners.base import Runner


def open_runner(artifact: Artifact, *, threads: int | None = None) -> AbstractContextManager[Runner]:
    """The runner of an artifact's format; each imports its own framework, and only when it is opened.

    ``threads`` are those of onnxruntime and LiteRT; TensorFlow has its own.
    """
    match artifact.format:
        case Format.ONNX:
            from verify.runners.onnx_runner import OnnxRunner

            return OnnxRunner(artifact.path, artifact.signature, threads=threads)
        case Format.SAVED_MODEL:
            from verify.runners.saved_model_runner import SavedModelRunner

            return SavedModelRunner(artifact.path, artifact.signature)
        case Format.TFLITE:
            from verify.runners.tflite_runner import TfliteRunner

            return TfliteRunner(artifact.path, artifact.signature, threads=threads)
        case Format.CHECKPOINT:
            raise InputError(
                f"{artifact.path} is a checkpoint: it says nothing of its architecture, so it cannot be run as it is",
                fix="run it through verify.runners.torch_runner, which takes a ModelSource",
            )
        case Format.REFERENCE:
            raise InputError(
                f"{artifact.path} holds outputs for its own inputs only: it cannot be run", fix="run the model itself"
            )


def run_artifact(artifact: Artifact, batches: Path, outputs: Path, measure_latency: bool) -> RunRecord:
    """Job: feed every batch of a folder to a model and write its outputs, real-valued and in PyTorch layout.

    Inputs go through ``TensorSpec.from_torch`` and outputs through ``TensorSpec.to_torch``; nothing else is applied.
    """
    from verify.runners.feed import feed_batches

    with open_runner(artifact) as runner:
        return feed_batches(runner, batches, outputs, measure_latency=measure_latency)


def measure_artifact(artifact: Artifact, batches: Path) -> float:
    """Job: the median milliseconds of one inference at batch 1, on the first sample of a folder of batches."""
    from verify.batches import batch_paths, read_batch
    from verify.runners.feed import latency_ms, single_sample, stored_inputs

    with open_runner(artifact) as runner:
        return latency_ms(runner, single_sample(stored_inputs(runner.signature, read_batch(batch_paths(batches)[0]))))
