"""What workers run: quantize a file, then prove that it loads. Paths and plain values in, a result out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from quantize import tflite
from quantize.calibration.calibrate import calibrate
from quantize.calibration.samples import SampleStream
from quantize.correction.apply import correct
from quantize.correction.names import parse_corrections
from quantize.load_check import require_loadable
from quantize.recipe import IoType, Recipe, read_recipe
from quantize.result import QuantizationResult
from quantize.rewritten import rewritten
from quantize.rules import static_rules
from quantize.widening import quantize_at_best_width
from verify.artifact import sha256_of
from verify.errors import QuantizationFailed
from verify.runners.tflite_file import open_model
from verify.runners.tflite_inspect import opcode_names
from verify.signature import Signature


def make_float16(model: Path, out: Path) -> QuantizationResult:
    """Weights as float16."""
    result = tflite.to_float16(model, out)
    require_loadable(out)
    return result


def make_dynamic_int8(model: Path, out: Path) -> QuantizationResult:
    """Weights as int8, activations quantized as the file runs."""
    result = tflite.to_dynamic_int8(model, out)
    require_loadable(out)
    return result


def make_int8(
    model: Path,
    out: Path,
    *,
    calibration: Path,
    signature: Signature,
    io: IoType,
    max_samples: int,
    corrections: str = "auto",
) -> QuantizationResult:
    """Weights and activations as int8, with ranges learnt from samples.

    Samples are in PyTorch layout; ``signature`` leads from there to the model's own.
    The result's recipe remakes the same bytes with :func:`remake_int8`.
    """
    _require_straight(model)
    wanted = parse_corrections(corrections)
    with rewritten(model) as source:
        rules = static_rules(source)
        recipe = partial(Recipe, sha256_of(model), tflite.ENGINE, tflite.engine_version(), io, rules)
        calibrated = calibrate(source, rules, SampleStream(calibration, signature, max_samples))
        result = quantize_at_best_width(source, out, calibrated, recipe)
        result = correct(source, out, result, partial(SampleStream, calibration, signature, max_samples), wanted)
    require_loadable(out)
    return replace(result, notes=(f"calibrated on {calibrated.sample_count} samples", *result.notes))


def remake_int8(model: Path, out: Path, recipe: Path) -> QuantizationResult:
    """Weights and activations as int8, with the ranges of a recipe: no samples, the same bytes as then."""
    result = tflite.to_int8(model, out, read_recipe(recipe))
    require_loadable(out)
    return result


def _require_straight(model: Path) -> None:
    with open_model(model) as opened:
        inside = sorted({"IF", "WHILE"} & set(opcode_names(opened)))
    if inside:
        raise QuantizationFailed(
            f"{model.name} computes in {' and '.join(inside)}, and LiteRT shows no values from in there, so that int8 "
            "ranges cannot be learnt",
            fix="use the float16 or dynamic int8 file; recurrent layers over a short fixed length are written out "
            "without a loop",
        )
