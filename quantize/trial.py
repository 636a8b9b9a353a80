"""An int8 file made on trial, and how close it comes to the float model on the probes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quantize import tflite
from quantize.calibration.observe import Observation
from quantize.recipe import Recipe
from quantize.result import QuantizationResult
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
        return float(np.mean(self.each_db))


@dataclass(frozen=True)
class Gain:
    """How much better an output is in one file than in another, dB; ``standard_error_db`` is of ``typical_db``."""

    typical_db: float
    standard_error_db: float
    pooled_db: float


@dataclass(frozen=True)
class Trial:
    """One width's file and how good it is. ``scores`` has one entry a float output."""

    path: Path
    result: QuantizationResult
    scores: tuple[Score, ...]

    @property
    def widened_by(self) -> float:
        """How wide its ranges are: 0 average, 1 widest."""
        return 0.0 if self.result.recipe is None else self.result.recipe.calibration.widened_by

    def gain(self, usual: Trial) -> Gain:
        """Over another file, probe by probe, of the output that gains least."""
        gains = [_gain(old, new) for old, new in zip(usual.scores, self.scores, strict=True)]
        return min(gains, key=lambda gain: gain.typical_db, default=Gain(0.0, 0.0, 0.0))


def try_recipe(model: Path, path: Path, recipe: Recipe, probes: tuple[Observation, ...]) -> Trial:
    """Make ``path`` by the recipe and run the probes on it; raises ``QuantizationFailed`` and leaves nothing there."""
    try:
        result = tflite.apply_recipe(model, path, recipe)
        with TfliteRunner(path, result.signature) as runner:
            sums = [_compared(runner, result.signature, probe) for probe in probes]
    except ModelUnreadable as error:
        path.unlink(missing_ok=True)
        raise QuantizationFailed(f"the int8 file was made, but does not run: {error.what}") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Trial(path, result, tuple(map(_score, zip(*sums, strict=True))))


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


def _gain(old: Score, new: Score) -> Gain:
    each = np.subtract(new.each_db, old.each_db)
    error = float(each.std() / math.sqrt(len(each)))
    return Gain(float(each.mean()), error, new.pooled_db - old.pooled_db)
