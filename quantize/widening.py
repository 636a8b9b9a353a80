"""How wide to make the ranges: from the quantizer library's moving average towards the widest that was seen.

The average clips rare peaks. Where they carry the signal that ruins whole samples (ResNet18 on photographs gains 4 dB
by ranges as wide as seen); where they are outliers, room for them costs all other samples (EfficientNet-B0 loses 8 dB).
Which it is shows only in the finished file, so files of several widths are made and run on some of the calibration
samples. The average stays, and with it the library's own result, unless another width is clearly better.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from quantize.calibration.calibrate import Calibrated
from quantize.recipe import Calibration, Recipe
from quantize.result import QuantizationResult
from quantize.trial import Trial, try_recipe
from verify.errors import QuantizationFailed

AVERAGE, WIDEST = 0.0, 1.0

BETWEEN = (0.1, 0.5)
"""Tried when the widest is not clearly better, the narrower first, as long as the typical sample gains."""

LEAST_GAIN_DB = 0.75
"""Of the typical sample. The widest range is that of the very samples it is tried on, so a small gain may be a loss on
others (ResNet50: 0.1 gained, 0.4 lost; ShuffleNetV2: 0.5 gained, 0.05 lost)."""


def quantize_at_best_width(
    model: Path, out: Path, calibrated: Calibrated, recipe: Callable[[Calibration], Recipe]
) -> QuantizationResult:
    """Make ``out`` with the width that serves the probes best; the result's notes say what was tried.

    Deterministic: the same model and samples give the same file.
    """
    trials: list[Trial] = []

    def attempt(width: float) -> Trial:
        path = out.with_name(f".{out.name}.{width:g}")
        trials.append(try_recipe(model, path, recipe(calibrated.widened(width)), calibrated.probes))
        return trials[-1]

    try:
        usual = attempt(AVERAGE)
        if calibrated.widened(WIDEST).ranges != calibrated.widened(AVERAGE).ranges:
            _try_wider(usual, attempt)
        best = _best(usual, trials)
        best.path.replace(out)
    finally:
        for trial in trials:
            trial.path.unlink(missing_ok=True)
    return replace(best.result, notes=(*best.result.notes, _explanation(best, trials, len(calibrated.probes))))


def _try_wider(usual: Trial, attempt: Callable[[float], Trial]) -> None:
    """A width that LiteRT cannot run is passed over: the usual one is there."""
    with suppress(QuantizationFailed):
        if _clearly_better(attempt(WIDEST), usual):
            return
    with suppress(QuantizationFailed):
        for width in BETWEEN:
            if attempt(width).gain(usual).typical_db < 0:
                return


def _best(usual: Trial, trials: list[Trial]) -> Trial:
    better = [trial for trial in trials if _clearly_better(trial, usual)]
    return max(better, key=lambda trial: trial.gain(usual).typical_db, default=usual)


def _clearly_better(trial: Trial, usual: Trial) -> bool:
    """The typical probe gains, by more than chance would give, and all probes as one do not lose."""
    gain = trial.gain(usual)
    return gain.typical_db >= max(LEAST_GAIN_DB, gain.standard_error_db) and gain.pooled_db >= 0


def _explanation(best: Trial, trials: list[Trial], probe_count: int) -> str:
    width = (
        f"widened {best.widened_by:.0%} of the way to the widest seen"
        if best.widened_by
        else "moving average of the extremes"
    )
    if len(trials) == 1 or not best.scores:
        return f"ranges: {width}"
    scored = [(trial.widened_by, trial.scores[0]) for trial in trials]
    listed = ", ".join(f"{by:.0%} {score.mean_db:.1f}/{score.pooled_db:.1f}" for by, score in scored)
    return f"ranges: {width} (SQNR in dB on {probe_count} of the samples, mean/pooled: {listed})"
