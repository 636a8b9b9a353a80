"""The corrections in their order: exact ones on the float file before it is calibrated, rounding ones on the int8 file.

Samples that files are tried on set nothing here. What rounding corrections made of a file is kept only where it comes
closer to the float model on those.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from quantize import tflite
from quantize.calibration.observe import Observation
from quantize.correction.channels import scalable_channels
from quantize.correction.decisions import Corrections
from quantize.correction.equalize import wanted_classes
from quantize.correction.layerwise import refine
from quantize.correction.names import EXACT, SCALING, Correction
from quantize.correction.patches import prepared
from quantize.correction.rescale import rescale
from quantize.correction.shift import shift
from quantize.correction.structure import main_subgraph, structure_for
from quantize.result import QuantizationResult
from quantize.trial import Trial, scores_of
from verify.errors import OpNotRunnable, QuantizationFailed
from verify.flatbuffer import unpack
from verify.runners.base import Batch
from verify.runners.tflite_file import open_model
from verify.runners.tflite_inspect import opcode_names

_NEEDS = {Correction.CONCAT: "CONCATENATION", Correction.RESIDUAL: "ADD"}


def is_rescalable(model: Path, wanted: Collection[Correction]) -> bool:
    """Whether samples are to be looked at before calibration: channels of a float file are to be scaled, and can be."""
    with open_model(model) as opened:
        present = set(opcode_names(opened))
    if Correction.SHIFT in wanted:
        return True
    if not any(_NEEDS.get(each, "") in {"", *present} for each in SCALING.intersection(wanted)):
        return False
    own = Corrections(structure=structure_for(model, wanted), own_biases=True)
    with prepared(model, own) as source:
        unpacked = unpack(source.read_bytes())
        return bool(wanted_classes(scalable_channels(unpacked, main_subgraph(source)), wanted).any())


def before_calibration(
    model: Path, samples: Sequence[Batch], wanted: Collection[Correction], kept: Collection[str] = ()
) -> Corrections:
    """What to change in the float file, exactly; carry it out with :func:`quantize.correction.patches.prepared`.

    The ops that give the tensors ``kept`` stay.
    """
    structure = structure_for(model, wanted, kept)
    own = Corrections(names=structure, structure=structure, own_biases=bool(wanted))
    scaling = tuple(str(each) for each in Correction if each in wanted and each in SCALING)
    if not scaling or not samples:
        return own
    try:
        with prepared(model, own) as source:
            found = replace(own, scaled=rescale(source, samples, wanted))
        if Correction.SHIFT in wanted:
            with prepared(model, found) as source:
                found = replace(found, shifted=shift(source, samples))
        return replace(found, names=(*structure, *(scaling if found.scaled or found.shifted else ())))
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
    with ThreadPoolExecutor(1) as scorer:  # the file runs while its layers are refined
        usual = scorer.submit(scores_of, out, result.signature, probes)
        try:
            refined = refine(model, out, result.signature, samples, wanted)
        except (OpNotRunnable, QuantizationFailed) as error:
            return replace(result, notes=(*result.notes, f"corrections: none of weights and biases, for {error.what}"))
        if not refined.rounded and not refined.biases:
            return result
        names = recipe.corrections.names
        names += tuple(str(each) for each in Correction if each in wanted and each not in (*names, *EXACT))
        corrections = replace(recipe.corrections, names=names, rounded=refined.rounded, biases=refined.biases)
        scratch = out.with_name(f".{out.name}.corrected")
        try:
            made = tflite.apply_recipe(model, scratch, replace(recipe, corrections=corrections))
            method = recipe.calibration.method
            trial = Trial(method, scores_of(scratch, result.signature, probes))
            gain = trial.gain_db(Trial(method, usual.result()))
            told = f"corrections of weights and biases: {gain:+.1f} dB on samples that set nothing"
            if gain < 0:
                return replace(result, notes=(*result.notes, f"{told}, so they were left out"))
            scratch.replace(out)
        finally:
            scratch.unlink(missing_ok=True)
    return replace(made, notes=(*result.notes, told))
