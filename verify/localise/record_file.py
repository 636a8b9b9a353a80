"""Job: write down every tensor that a model computes for a few samples, where another process is to compare them."""

from __future__ import annotations

from pathlib import Path

from verify.artifact import Artifact
from verify.localise.recorded import write_recording
from verify.localise.recording import record, samples_of
from verify.localise.steps import open_steps


def record_file(*, artifact: Artifact, batches: Path, folder: Path, samples: int) -> None:
    """Job: write the recording of an ONNX, TFLite or SavedModel model to a folder; ``batches`` are under its names."""
    write_recording(record(open_steps(artifact), samples_of(artifact, batches, {}, samples), folder), folder)
