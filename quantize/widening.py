"""How wide to make the ranges: from the quantizer library's moving average towards the widest that was seen.

The average clips rare peaks. Where they carry the signal that ruins whole samples (ResNet18 on photographs gains 4 dB
by ranges as wide as seen); where they are outliers, room for them costs all other samples (EfficientNet-B0 loses 8 dB).
Which it is shows only in the finished file, so files of several widths are made and run on some of the calibration
samples. The average stays, and with it the library's own result, unless another width is clearly better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from quantize import tflite
from quantize.calibration.calibrate import Calibrated
from quantize.calibration.observe import Observation
from quantize.recipe import Calibration, Recipe
from quantize.result import QuantizationResult
from verify.errors import ModelUnreadable, QuantizationFailed
from verify.metrics import sqnr_db
from verify.runners.base import Array, Batch
from verify.runners.tflite_runner import TfliteRunner
from verify.signature import Signature

WIDER = (0.1, 0.5, 1.0)
"""Tried in this order, as long as the typical sample gains: of 0.1, 0.25, 0.5 and 1 on nine photo classifiers, 0.25 was
never the best by more than 0.3 dB."""

LEAST_GAIN_DB = 0.5
"""Less may turn into a loss on samples that were not tried."""

_IDENTICAL_DB = 120.0


@dataclass(frozen=True)
class Score:
    """SQNR of one output over the probes, dB: of the typical sample, and of all as one, where bad ones weigh most."""

    mean_db: float
    pooled_db: float


@dataclass(frozen=True)
class _Trial:
    """One width's file and how good it is. ``scores`` has one entry a float output."""

    path: Path
    result: QuantizationResult
    scores: tuple[Score, ...]

    @property
    def by(self) -> float:
        return 0.0 if self.result.recipe is None else self.result.recipe.calibration.widened_by


def quantize_at_best_width(
    model: Path, out: Path, calibrated: Calibrated, recipe: Callable[[Calibration], Recipe]
) -> QuantizationResult:
    """Make ``out`` with the width that serves the probes best; the result's notes say what was tried.

    Deterministic: the same model and samples give the same file.
    """
    trials = [_tried(model, out, recipe(calibrated.widened(0.0)), calibrated.probes)]
    try:
        usual = trials[0]
        for by in WIDER:
            wider = recipe(calibrated.widened(by))
            if wider.calibration.ranges == recipe(calibrated.widened(0.0)).calibration.ranges:
                break
            try:
                trials.append(_tried(model, out, wider, calibrated.probes))
            except QuantizationFailed:
                break
            if _typical_gain_db(usual, trials[-1]) < 0:
                break
        best = max(trials, key=lambda trial: _gain_db(usual, trial))
        best = best if _gain_db(usual, best) >= LEAST_GAIN_DB else usual
        best.path.replace(out)
    finally:
        for trial in trials:
            trial.path.unlink(missing_ok=True)
    return replace(best.result, notes=(*best.result.notes, _explanation(best, trials, len(calibrated.probes))))


def _typical_gain_db(usual: _Trial, other: _Trial) -> float:
    """Of the output that gains least."""
    gains = [new.mean_db - old.mean_db for old, new in zip(usual.scores, other.scores, strict=True)]
    return min(gains, default=0.0)


def _gain_db(usual: _Trial, other: _Trial) -> float:
    """Of the output that gains least, the typical sample and the worst ones weighed alike; a typical loss is none."""
    if _typical_gain_db(usual, other) < 0:
        return -1.0
    pairs = zip(usual.scores, other.scores, strict=True)
    gains = [(new.mean_db - old.mean_db + new.pooled_db - old.pooled_db) / 2 for old, new in pairs]
    return min(gains, default=0.0)


def _tried(model: Path, out: Path, recipe: Recipe, probes: tuple[Observation, ...]) -> _Trial:
    path = out.with_name(f".{out.name}.{recipe.calibration.widened_by:g}")
    try:
        result = tflite.apply_recipe(model, path, recipe)
        with TfliteRunner(path, result.signature) as runner:
            given = [runner.infer(_stored(result.signature, probe.inputs)) for probe in probes]
    except ModelUnreadable as error:
        path.unlink(missing_ok=True)
        raise QuantizationFailed(f"the int8 file was made, but does not run: {error.what}") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    floats = [spec for spec in result.signature.outputs if probes[0].outputs[spec.name].dtype.kind == "f"]
    scores = []
    for spec in floats:
        wanted = [probe.outputs[spec.name] for probe in probes]
        scores.append(_score(wanted, [spec.to_torch(outputs[spec.name]) for outputs in given]))
    return _Trial(path, result, tuple(scores))


def _stored(signature: Signature, inputs: Batch) -> Batch:
    return {spec.name: spec.from_torch(inputs[spec.name]) for spec in signature.inputs}


def _score(wanted: list[Array], found: list[Array]) -> Score:
    def capped(value: float | None) -> float:
        return _IDENTICAL_DB if value is None else min(value, _IDENTICAL_DB)

    each = [capped(sqnr_db(*pair)) for pair in zip(wanted, found, strict=True)]
    pooled = sqnr_db(*(np.concatenate([array.ravel() for array in arrays]) for arrays in (wanted, found)))
    return Score(float(np.mean(each)), capped(pooled))


def _explanation(best: _Trial, trials: list[_Trial], probe_count: int) -> str:
    width = "moving average of the extremes" if not best.by else f"widened {best.by:.0%} of the way to the widest seen"
    if len(trials) == 1 or not best.scores:
        return f"ranges: {width}"
    scored = [(trial.by, trial.scores[0]) for trial in trials]
    listed = ", ".join(f"{by:.0%} {score.mean_db:.1f}/{score.pooled_db:.1f}" for by, score in scored)
    return f"ranges: {width} (SQNR in dB on {probe_count} of the samples, mean/pooled: {listed})"
