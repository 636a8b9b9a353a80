"""Job: write down every tensor that a PyTorch model computes for a few samples; torch is imported where it runs."""

from __future__ import annotations

from pathlib import Path

from verify.artifact import Artifact
from verify.model import ModelSource


def record_checkpoint(*, source: ModelSource, artifact: Artifact, batches: Path, folder: Path, samples: int) -> None:
    """Job: write the recording of a ``.pth`` or ``.pt2`` to a folder; one sample is in memory at a time.

    ``artifact`` is the model with its signature, ``batches`` a folder of inputs under its names. Raises what opening
    the checkpoint raises, ``SamplesInvalid``, and ``InputError`` where two samples do not run the same ops.
    """
    from verify.checkpoint import open_model
    from verify.localise.recorded import write_recording
    from verify.localise.recording import samples_of
    from verify.localise.torch_recording import record_module

    fed = samples_of(artifact, batches, {}, samples)
    outputs = tuple(spec.name for spec in artifact.signature.outputs)
    write_recording(record_module(open_model(source).module, fed, outputs, folder), folder)
