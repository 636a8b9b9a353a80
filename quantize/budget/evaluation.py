"""Samples that judge, and their labels: given, or some of the calibration samples, which then calibrate nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quantize.calibration.samples import sample_rows
from verify.batches import batch_name, write_batch
from verify.errors import SamplesInvalid
from verify.samples.load import open_samples
from verify.samples.source import SampleSource
from verify.samples.spec import InputSpec
from verify.samples.split import LEAST_HELD_OUT_EVERY, spread
from verify.task.labels import labels_of

PROBES = 16
"""Calibration samples that tell which ops hurt."""


@dataclass(frozen=True)
class Evaluation:
    """``folder`` holds one sample a batch file, in PyTorch layout; ``truth`` is a ``.npy`` of labels in that order.

    ``named_classes`` is the number of folders, where labels are their names' order.
    """

    folder: Path
    truth: Path | None
    description: str
    named_classes: int | None = None


@dataclass(frozen=True)
class HeldOut:
    """Calibration samples, split in two."""

    calibration: Path
    evaluation: Evaluation


def write_evaluation(*, source: SampleSource, inputs: tuple[InputSpec, ...], scratch: Path) -> Evaluation:
    """Job: write every sample of a source, and its label if it has one; raises ``SamplesInvalid``."""
    reader = open_samples(source, inputs)
    if reader.count is None:
        raise SamplesInvalid("samples that never run out cannot judge", fix="give --eval a file or a folder")
    labels, named = labels_of(source, {spec.name for spec in inputs}, reader.count)
    folder = scratch / "evaluation"
    kept: list[int] = []
    for index in range(reader.count):
        for sample in reader.read([index]):
            write_batch(folder / batch_name(len(kept)), sample)
            kept.append(index)
    if not kept:
        raise SamplesInvalid(f"there are no usable {reader.description}", fix="give samples that can be read")
    truth = None
    if labels is not None:
        truth = scratch / "truth.npy"
        np.save(truth, labels[kept])
    return Evaluation(folder, truth, f"of {reader.description.removeprefix('samples from ')}", named)


def hold_out(*, source: Path, scratch: Path) -> HeldOut:
    """Job: every fourth calibration sample judges, the rest calibrate."""
    calibration, evaluation = scratch / "calibrating", scratch / "evaluation"
    counts = {calibration: 0, evaluation: 0}
    for number, row in enumerate(sample_rows(source), start=1):
        folder = calibration if number % LEAST_HELD_OUT_EVERY else evaluation
        write_batch(folder / batch_name(counts[folder]), row)
        counts[folder] += 1
    if not all(counts.values()):
        raise SamplesInvalid(
            f"{sum(counts.values())} samples are too few both to calibrate and to judge: expected at least "
            f"{LEAST_HELD_OUT_EVERY}",
            fix="give more with --calib, or others to judge on with --eval",
        )
    return HeldOut(calibration, Evaluation(evaluation, None, "held out from calibration"))


def probes_of(calibration: Path, folder: Path) -> Path:
    """Some of the calibration samples, evenly spaced, in a folder of their own."""
    count = sum(1 for _ in sample_rows(calibration))
    wanted = set(spread(tuple(range(count)), PROBES))
    for number, row in enumerate(sample_rows(calibration)):
        if number in wanted:
            write_batch(folder / batch_name(number), row)
    return folder
