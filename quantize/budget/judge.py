"""Scoring a file against the float file on samples that calibrated nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quantize.budget.goal import Measured, Score
from quantize.calibration.samples import SampleStream
from verify.batches import batch_name, read_batch, write_batch
from verify.errors import ModelUnreadable, QuantizationFailed, SamplesInvalid
from verify.metrics import error_sums
from verify.runners.base import Array, Batch
from verify.runners.feed import torch_outputs
from verify.runners.tflite_file import tflite_signature_like
from verify.runners.tflite_runner import TfliteRunner
from verify.signature import Signature
from verify.task.intervals import bootstrap, paired_drop, share
from verify.task.measures import Floats, Measure

IDENTICAL_DB = 120.0


@dataclass(frozen=True)
class Judge:
    """Samples, and what the float file gives for them, in ``scratch``.

    ``truth`` has one entry a sample; without it and a measure, what counts is the class that the float file gives.
    ``classes`` is how many there are, ``None`` where no output is like classes; ``before`` are the float file's rows.
    """

    samples: Path
    scratch: Path
    signature: Signature
    count: int
    classes: int | None
    measure: Measure | None
    truth: Array | None
    before: Floats | None

    def score(self, path: Path) -> Score:
        """Raises ``QuantizationFailed`` when the file does not run."""
        energies, agreed, after = [], [], []
        for number, (expected, outputs) in enumerate(self._both(path)):
            energies.append(_energies(expected, outputs))
            agreed.append(_agreement(expected, outputs))
            after += self._rows(outputs, number)
        agreement = _share_of(np.concatenate(agreed))
        return Score(_sqnr(np.stack(energies)), agreement, *self._drop(after, agreement))

    def perfect(self) -> Score:
        """That of the float file itself, with intervals as so few samples give."""
        identical = Measured(IDENTICAL_DB, IDENTICAL_DB, IDENTICAL_DB)
        agreement = Measured(1.0, share(self.count, self.count)[0], 1.0) if self.classes else None
        if self.before is None or self.measure is None:
            return Score(identical, agreement, *self._drop([], agreement))
        return Score(
            identical,
            agreement,
            self.measure.of(self.before),
            Measured(0.0, *paired_drop(self.before, self.before, self.measure)),
        )

    def noise(self, path: Path) -> float:
        """Error energy over signal energy, summed over outputs; raises ``QuantizationFailed`` as well."""
        energies = np.sum([_energies(*both) for both in self._both(path)], axis=0)
        return float(sum(error / signal for signal, error in energies if signal))

    def _both(self, path: Path) -> Iterator[tuple[Batch, Batch]]:
        """What the float file and this one give, batch by batch."""
        try:
            for number, outputs in enumerate(_run(path, self.signature, self.samples)):
                yield read_batch(self.scratch / batch_name(number)), outputs
        except ModelUnreadable as error:
            raise QuantizationFailed(f"the file was made, but does not run: {error.what}") from error

    def _rows(self, outputs: Batch, number: int) -> list[Floats]:
        if self.measure is None or self.truth is None:
            return []
        size = len(next(iter(outputs.values())))
        return [self.measure.per_sample(outputs, self.truth[number * size : (number + 1) * size])]

    def _drop(self, rows: list[Floats], agreement: Measured | None) -> tuple[float | None, Measured | None]:
        if self.measure is None or not rows or self.before is None:
            if agreement is None:
                return None, None
            return agreement.value, Measured(1 - agreement.value, 1 - agreement.high, 1 - agreement.low)
        after = np.concatenate(rows)
        value = self.measure.of(after)
        drop = self.measure.of(self.before) - value
        return value, Measured(drop, *paired_drop(self.before, after, self.measure))


def judge_of(
    model: Path,
    signature: Signature,
    samples: Path,
    scratch: Path,
    *,
    measure: Measure | None = None,
    truth: Array | None = None,
) -> Judge:
    """Run the float model on the samples, a folder of batches; raises ``SamplesInvalid`` when there are none."""
    count, before, classes = 0, [], None
    scratch.mkdir(parents=True, exist_ok=True)
    for number, outputs in enumerate(_run(model, signature, samples)):
        write_batch(scratch / batch_name(number), outputs)
        name = classes_output(outputs)
        classes = None if name is None else outputs[name].shape[1]
        size = len(next(iter(outputs.values())))
        if measure is not None and truth is not None:
            before.append(_fitting(measure, outputs, truth[count : count + size]))
        count += size
    if not count:
        raise SamplesInvalid("there are no samples to judge int8 files on", fix="give some with --eval")
    rows = np.concatenate(before) if before else None
    return Judge(samples, scratch, signature, count, classes, measure, truth, rows)


def _fitting(measure: Measure, outputs: Batch, truth: Array) -> Floats:
    try:
        return measure.per_sample(outputs, truth)
    except (ValueError, KeyError, IndexError) as error:
        given = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in outputs.items())
        raise SamplesInvalid(
            f"{measure.name} cannot be had of outputs {given} and labels {truth.dtype}{list(truth.shape)}: {error}",
            fix="name another with --metric",
        ) from error


def _run(path: Path, signature: Signature, samples: Path) -> Iterator[dict[str, Array]]:
    """What a file gives for each batch, in PyTorch layout, real values."""
    own = tflite_signature_like(path, signature)
    with TfliteRunner(path, own) as runner:
        for batch in SampleStream(samples, own, sys.maxsize):
            yield torch_outputs(own, runner.infer(batch))


def _energies(expected: Batch, outputs: Batch) -> Floats:
    """(float outputs, 2): of the signal, of the error."""
    floats = [name for name in expected if expected[name].dtype.kind == "f"]
    sums = [error_sums(expected[name], outputs[name]) for name in floats]
    return np.array([[each.signal_energy, each.error_energy] for each in sums], np.float64).reshape(-1, 2)


def _sqnr(energies: Floats) -> Measured:
    """Of (batches, outputs, 2): pooled over samples, of the worst output."""

    def worst(chosen: Floats) -> float:
        signal, error = chosen.sum(axis=0).T
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 10 * (np.log10(signal) - np.log10(error))
        return float(np.min(np.where((error == 0) | (signal == 0), IDENTICAL_DB, np.minimum(found, IDENTICAL_DB))))

    if not energies.shape[1]:
        return Measured(IDENTICAL_DB, IDENTICAL_DB, IDENTICAL_DB)
    return Measured(worst(energies), *bootstrap(len(energies), lambda chosen: worst(energies[chosen])))


def _agreement(expected: Batch, outputs: Batch) -> Floats:
    """(samples,): the share of a sample's places given the same class, in the output that is most like classes."""
    name = classes_output(expected)
    if name is None:
        return np.empty(0)
    same = expected[name].argmax(axis=1) == outputs[name].argmax(axis=1)
    return np.asarray(same.reshape(len(same), -1).mean(axis=1), np.float64)


def classes_output(outputs: Batch) -> str | None:
    """The first that is (samples, classes), else the first (samples, classes, h, w); ``None`` where neither is."""
    for rank in (2, 4):
        for name, array in outputs.items():
            if array.ndim == rank and array.dtype.kind == "f" and array.shape[1] > 1:
                return name
    return None


def _share_of(same: Floats) -> Measured | None:
    if not same.size:
        return None
    value = float(same.mean())
    if np.isin(same, (0.0, 1.0)).all():
        return Measured(value, *share(float(same.sum()), len(same)))
    return Measured(value, *bootstrap(len(same), lambda chosen: float(same[chosen].mean())))
