"""The corrections in their order: exact ones on the float file before it is calibrated, rounding ones on the int8 file.

Samples that files are tried on set nothing here. What rounding corrections made of a file is kept only where it comes
closer to the float model on those.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from quantize import tflite
from quantize.calibration.observe import Observation
from quantize.calibration.probes import SmallestHashes, is_held_back
from quantize.calibration.samples import SampleStream
from quantize.correction.decisions import Corrections
from quantize.correction.layerwise import refine
from quantize.correction.names import EXACT, Correction
from quantize.correction.patches import prepared
from quantize.correction.rescale import rescale
from quantize.operators import activation_bytes
from quantize.result import QuantizationResult
from quantize.trial import Trial, scores_of
from verify.errors import OpNotRunnable, QuantizationFailed
from verify.runners.base import Batch

MOST_SAMPLES = 64
FEWEST_SAMPLES = 4
MOST_BYTES = 2**29
"""Of activations that all samples make on their way: bounds time and memory. MobileNetV2 makes 30 MB a sample."""


def fitting_samples(model: Path, samples: SampleStream) -> list[Batch]:
    """Samples that are no probes, as many as memory allows: the same ones, in whatever order they come."""
    most, probes, others = _most_samples(model), SmallestHashes(), SmallestHashes()
    for sample in samples:
        (probes if is_held_back(samples.latest) else others).offer(samples.latest, sample, most)
    if len(others.kept) < FEWEST_SAMPLES:
        for digest, sample in probes.kept:
            others.offer(digest, sample, most)
    return [sample for _, sample in others.kept]


def _most_samples(model: Path) -> int:
    return min(max(MOST_BYTES // max(activation_bytes(model), 1), FEWEST_SAMPLES), MOST_SAMPLES)


def before_calibration(model: Path, samples: Sequence[Batch], wanted: Collection[Correction]) -> Corrections:
    """What to change in the float file, exactly; carry it out with :func:`quantize.correction.patches.prepared`."""
    names = tuple(str(each) for each in Correction if each in wanted and each in EXACT)
    own = Corrections(own_biases=bool(wanted))
    if not names or not samples:
        return own
    try:
        with prepared(model, own) as source:
            return replace(own, names=names, scaled=rescale(source, samples, wanted))
    except (OpNotRunnable, QuantizationFailed):
        return own


def after_rounding(
    model: Path,
    out: Path,
    result: QuantizationResult,
    wanted: Collection[Correction],
    *,
    samples: Sequence[Batch],
    probes: tuple[Observation, ...],
) -> QuantizationResult:
    """Replace the int8 file ``out`` of the float file ``model`` by a corrected one, if that is better on the probes.

    The result's recipe remakes it.
    """
    recipe = result.recipe
    if recipe is None or not set(wanted) - EXACT:
        return result
    try:
        refined = refine(model, out, result.signature, samples, wanted)
    except (OpNotRunnable, QuantizationFailed) as error:
        return replace(result, notes=(*result.notes, f"corrections: none of weights and biases, for {error.what}"))
    if not refined.rounded and not refined.biases:
        return result
    names = tuple(str(each) for each in Correction if each in wanted)
    corrections = replace(recipe.corrections, names=names, rounded=refined.rounded, biases=refined.biases)
    corrected = replace(recipe, corrections=corrections)
    scratch = out.with_name(f".{out.name}.corrected")
    try:
        made = tflite.apply_recipe(model, scratch, corrected)
        usual, trial = (
            Trial(recipe.calibration.method, scores_of(path, result.signature, probes)) for path in (out, scratch)
        )
        gain = trial.gain_db(usual)
        told = f"corrections of weights and biases: {gain:+.1f} dB on samples that set nothing"
        if gain < 0:
            return replace(result, notes=(*result.notes, f"{told}, so they were left out"))
        scratch.replace(out)
    finally:
        scratch.unlink(missing_ok=True)
    return replace(made, notes=(*result.notes, told))
