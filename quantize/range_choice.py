"""Which method chooses the ranges: the one whose int8 file is closest to the float one on samples held back.

Clipping rare peaks spends fewer bits on them; where they carry the signal it ruins whole samples. What that costs a
network as a whole shows only in the finished file. So each candidate's ranges, learnt without the probes, make a file
that is run on the probes, and the best one's, learnt on all samples, make the file that is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from quantize import tflite
from quantize.calibration.calibrate import Calibrated
from quantize.calibration.method_names import RangeMethod
from quantize.calibration.observe import Observation
from quantize.recipe import Calibration, Recipe, TensorRange
from quantize.result import QuantizationResult
from quantize.trial import Trial, try_recipe
from verify.errors import QuantizationFailed

CANDIDATES = (RangeMethod.MSE, RangeMethod.PERCENTILE, RangeMethod.MINMAX, RangeMethod.MEAN)
"""Tried for ``auto``; none depends on the order of samples."""

LEAST_GAIN_DB = 1.0
"""By which a candidate must beat those before it: what a dozen probes prefer by less, others may not (ShuffleNetV2's
probes preferred the extremes by 0.7 dB, and other crops lost 0.4)."""

_AN_EIGHTH = math.log2(9 / 8)
_TINY = 1e-30

MakeRecipe = Callable[[Calibration], Recipe]


def quantize_with_ranges(
    model: Path,
    out: Path,
    calibrated: Calibrated,
    recipe: MakeRecipe,
    method: RangeMethod | None = None,
    *,
    why: str = "as asked",
) -> QuantizationResult:
    """Make ``out`` with ranges by a method, or by the best one; the result's notes say which, and what was tried.

    Deterministic: the same model and samples, in any order, give the same file (but for ``AVERAGE``).
    """
    if method is not None:
        result = tflite.apply_recipe(model, out, recipe(calibrated.calibration(method)))
        return replace(result, notes=(*result.notes, f"ranges: {method}, {why}"))
    candidates = _candidates(calibrated)
    if len(candidates) == 1:
        result = tflite.apply_recipe(model, out, recipe(calibrated.calibration(candidates[0].method)))
        explanation = f"ranges: {candidates[0].method}; other methods give much the same"
        return replace(result, notes=(*result.notes, explanation))
    trials = _trials(model, out, candidates, calibrated.probes, recipe)
    best = _best(trials)
    result = tflite.apply_recipe(model, out, recipe(calibrated.calibration(best.method)))
    return replace(result, notes=(*result.notes, _explanation(best, trials, calibrated)))


def _candidates(calibrated: Calibrated) -> list[Calibration]:
    """Ranges by each method that gives others than those before it."""
    found: list[Calibration] = []
    for method in CANDIDATES:
        calibration = calibrated.calibration(method, on_trial=True)
        if not any(_nearly_same(calibration, other) for other in found):
            found.append(calibration)
    return found


def _trials(
    model: Path, out: Path, candidates: list[Calibration], probes: tuple[Observation, ...], recipe: MakeRecipe
) -> list[Trial]:
    """One a candidate; a file that LiteRT cannot run is passed over, unless all are."""
    trials: list[Trial] = []
    failures: list[QuantizationFailed] = []
    with ThreadPoolExecutor(1) as scorer:
        pending: list[Future[Trial]] = []
        for candidate in candidates:
            path = out.with_name(f".{out.name}.{candidate.method}")
            try:
                pending.append(try_recipe(model, path, recipe(candidate), probes, scorer))
            except QuantizationFailed as error:
                failures.append(error)
        for each in pending:
            try:
                trials.append(each.result())
            except QuantizationFailed as error:
                failures.append(error)
    if not trials and failures:
        raise failures[0]
    return trials


def _nearly_same(one: Calibration, other: Calibration) -> bool:
    """Whether three ranges in four are as wide as the other's, by an eighth: files of both differ by chance."""
    widths = np.array([[_width(a), _width(b)] for a, b in zip(one.ranges, other.ranges, strict=True)]).reshape(-1, 2)
    apart = np.abs(np.log2(widths[:, 0] / widths[:, 1]))
    return not apart.size or float(np.quantile(apart, 0.75)) < _AN_EIGHTH


def _width(each: TensorRange) -> float:
    return max(each.high, 0.0) - min(each.low, 0.0) + _TINY


def _best(trials: list[Trial]) -> Trial:
    best = trials[0]
    for trial in trials[1:]:
        if trial.gain_db(best) >= LEAST_GAIN_DB:
            best = trial
    return best


def _explanation(best: Trial, trials: list[Trial], calibrated: Calibrated) -> str:
    if not best.scores:
        return f"ranges: {best.method}"
    listed = ", ".join(
        f"{trial.method} {trial.scores[0].mean_db:.1f}/{trial.scores[0].pooled_db:.1f}" for trial in trials
    )
    kind = "held back" if calibrated.holds_back else "of them all"
    return f"ranges: {best.method} (SQNR in dB on {len(calibrated.probes)} samples {kind}, mean/pooled: {listed})"
