"""Which method chooses the ranges: the one whose int8 file is closest to the float one on samples held back.

Clipping rare peaks spends fewer bits on them; where they carry the signal it ruins whole samples. What that costs a
network as a whole shows only in the finished file. So each candidate's ranges, learnt without the probes, make a file
that is run on the probes, and the best one's, learnt on all samples, make the file that is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from quantize import tflite
from quantize.calibration.calibrate import Calibrated
from quantize.calibration.method_names import RangeMethod
from quantize.recipe import Calibration, Recipe
from quantize.result import QuantizationResult
from quantize.trial import Trial, try_recipe
from verify.errors import QuantizationFailed

CANDIDATES = (RangeMethod.MSE, RangeMethod.PERCENTILE, RangeMethod.MINMAX, RangeMethod.MEAN)
"""Tried for ``auto``; none depends on the order of samples."""

LEAST_GAIN_DB = 1.0
"""By which a candidate must beat those before it: what a dozen probes prefer by less, others may not (ShuffleNetV2's
probes preferred the extremes by 0.7 dB, and other crops lost 0.4)."""

MakeRecipe = Callable[[Calibration], Recipe]


def quantize_with_ranges(
    model: Path, out: Path, calibrated: Calibrated, recipe: MakeRecipe, method: RangeMethod | None = None
) -> QuantizationResult:
    """Make ``out`` with ranges by a method, or by the best one; the result's notes say which, and what was tried.

    Deterministic: the same model and samples, in any order, give the same file (but for ``AVERAGE``).
    """
    if method is not None:
        result = tflite.apply_recipe(model, out, recipe(calibrated.calibration(method)))
        return replace(result, notes=(*result.notes, f"ranges: {method}, as asked"))
    trials = _trials(model, out, calibrated, recipe)
    best = _best(trials)
    result = tflite.apply_recipe(model, out, recipe(calibrated.calibration(best.method)))
    return replace(result, notes=(*result.notes, _explanation(best, trials, calibrated)))


def _trials(model: Path, out: Path, calibrated: Calibrated, recipe: MakeRecipe) -> list[Trial]:
    """One a method that gives ranges of its own; one that LiteRT cannot run is passed over unless all are."""
    trials: list[Trial] = []
    seen: list[Calibration] = []
    failure: QuantizationFailed | None = None
    for method in CANDIDATES:
        found = calibrated.calibration(method, on_trial=True)
        if any(found.ranges == other.ranges for other in seen):
            continue
        seen.append(found)
        path = out.with_name(f".{out.name}.{method}")
        try:
            trials.append(try_recipe(model, path, recipe(found), calibrated.probes))
        except QuantizationFailed as error:
            failure = failure or error
    if not trials and failure is not None:
        raise failure
    return trials


def _best(trials: list[Trial]) -> Trial:
    best = trials[0]
    for trial in trials[1:]:
        if trial.gain_db(best) >= LEAST_GAIN_DB:
            best = trial
    return best


def _explanation(best: Trial, trials: list[Trial], calibrated: Calibrated) -> str:
    if len(trials) == 1 or not best.scores:
        return f"ranges: {best.method}"
    listed = ", ".join(
        f"{trial.method} {trial.scores[0].mean_db:.1f}/{trial.scores[0].pooled_db:.1f}" for trial in trials
    )
    kind = "held back" if calibrated.holds_back else "of them all"
    return f"ranges: {best.method} (SQNR in dB on {len(calibrated.probes)} samples {kind}, mean/pooled: {listed})"
