"""An int8 file made on trial, and how close it comes to the float model on the probes."""

from __future__ import annotations

import math
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path

from quantize import tflite
from quantize.calibration.method_names import RangeMethod
from quantize.calibration.observe import Observation
from quantize.recipe import Recipe
from verify.errors import ModelUnreadable, QuantizationFailed
from verify.metrics import ErrorSums, error_sums
from verify.runners.base import Batch
from verify.runners.tflite_runner import TfliteRunner
from verify.signature import Signature

_IDENTICAL_DB = 120.0


@dataclass(frozen=True)
class Score:
    """SQNR of one output, dB: of each probe, and of all as one, where the worst weigh most."""

    each_db: tuple[float, ...]
    pooled_db: float

    @property
    def mean_db(self) -> float:
        """Of the typical probe."""
        return math.fsum(self.each_db) / len(self.each_db)

    @property
    def middle_db(self) -> float:
        """Between the typical probe and all as one: neither a few bad samples nor many fair ones decide alone."""
        return (self.mean_db + self.pooled_db) / 2


@dataclass(frozen=True)
class Trial:
    """One file and how good it is. ``scores`` has one entry a float output."""

    method: RangeMethod
    scores: tuple[Score, ...]

    def gain_db(self, other: Trial) -> float:
        """Over another file, of the output that gains least: of the typical probe and of all as one, half each."""
        pairs = zip(other.scores, self.scores, strict=True)
        return min((new.middle_db - old.middle_db for old, new in pairs), default=0.0)


def try_recipe(
    model: Path, path: Path, recipe: Recipe, probes: tuple[Observation, ...], scorer: Executor
) -> Future[Trial]:
    """Make a file by the recipe; ``scorer`` runs the probes on it, while the next one is made, and deletes it.

    Raises ``QuantizationFailed`` if it cannot be made, and so does the future if it does not run.
    """
    try:
        result = tflite.apply_recipe(model, path, recipe)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return scorer.submit(_tried, path, result.signature, recipe.calibration.method, probes)


def _tried(path: Path, signature: Signature, method: RangeMethod, probes: tuple[Observation, ...]) -> Trial:
    try:
        return Trial(method, scores_of(path, signature, probes))
    finally:
        path.unlink(missing_ok=True)


def scores_of(path: Path, signature: Signature, probes: tuple[Observation, ...]) -> tuple[Score, ...]:
    """How close a file comes to the float model on the probes; raises ``QuantizationFailed`` if it does not run."""
    try:
        with TfliteRunner(path, signature) as runner:
            sums = [_compared(runner, signature, probe) for probe in probes]
    except ModelUnreadable as error:
        raise QuantizationFailed(f"the int8 file was made, but does not run: {error.what}") from error
    return tuple(map(_score, zip(*sums, strict=True)))


def _compared(runner: TfliteRunner, signature: Signature, probe: Observation) -> tuple[ErrorSums, ...]:
    """How far each float output is from the float model's; of one probe at a time, for a mask takes megabytes."""
    found = runner.infer(_stored(signature, probe.inputs))
    floats = [spec for spec in signature.outputs if probe.outputs[spec.name].dtype.kind == "f"]
    return tuple(error_sums(probe.outputs[spec.name], spec.to_torch(found[spec.name])) for spec in floats)


def _stored(signature: Signature, inputs: Batch) -> Batch:
    return {spec.name: spec.from_torch(inputs[spec.name]) for spec in signature.inputs}


def _score(probes: tuple[ErrorSums, ...]) -> Score:
    return Score(tuple(map(_capped_db, probes)), _capped_db(sum(probes, ErrorSums())))


def _capped_db(sums: ErrorSums) -> float:
    return _IDENTICAL_DB if sums.sqnr_db is None else min(sums.sqnr_db, _IDENTICAL_DB)
