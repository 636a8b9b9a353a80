"""Calibration samples that no command line names: of an object of the caller's, or distilled from the checkpoint.

Either is written as one file in the run's scratch folder, and then flows as any file of samples does.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from convert.hosts import Hosts
from convert.progress import Progress
from convert.settings import RunSettings
from convert.stages.base import Host, Stage
from convert.stages.export import ExportOnnx
from convert.start import Start
from quantize.calibration.sources import SYNTHETIC
from verify.errors import SamplesInvalid
from verify.samples import ArrayFile
from verify.samples.iterable_samples import write_iterable_file

SYNTHETIC_COUNT = 32


def require_distillable(settings: RunSettings, stages: Iterable[Stage]) -> None:
    """Raise ``SamplesInvalid`` where inputs are to be distilled and there is no checkpoint to distil them from."""
    if settings.calibration == SYNTHETIC and not any(isinstance(stage, ExportOnnx) for stage in stages):
        raise SamplesInvalid(
            "--calib synthetic needs the batch norms of the PyTorch checkpoint; an ONNX file may have them folded",
            fix="start from the checkpoint: convert pth2tflite MODEL.pth --calib synthetic; or give samples",
        )


def from_object(samples: Iterable[Any], start: Start, folder: Path, most: int) -> ArrayFile:
    """The first samples that a ``DataLoader``, a ``Dataset`` or any iterable gives, read in this process.

    Raises ``SamplesInvalid`` when they do not fit the model.
    """
    path = folder / "given.npz"
    write_iterable_file(samples, start.inputs, path, most)
    return ArrayFile(path, f"samples of a {type(samples).__name__}")


def distilled(start: Start, hosts: Hosts, settings: RunSettings, folder: Path, progress: Progress) -> ArrayFile:
    """Inputs distilled from the checkpoint's batch norms, in the worker that has PyTorch."""
    from convert.synthetic.job import distil_inputs

    assert start.source is not None
    progress.say("Distilling inputs from batch norms")
    began = time.monotonic()
    path = folder / "synthetic.npz"
    made = (
        hosts.worker(Host.TORCH)
        .run(distil_inputs, source=start.source, seed=settings.seed, most=SYNTHETIC_COUNT, target=path)
        .value
    )
    progress.line(
        "Distilled synthetic inputs",
        seconds=time.monotonic() - began,
        detail=f"{made.count} in {made.steps} steps; distance from the batch norms' statistics "
        f"{made.first_distance:.2g} → {made.last_distance:.2g}",
    )
    return ArrayFile(path, "synthetic inputs")
