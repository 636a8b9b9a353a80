"""What workers run: quantize a file, then prove that it loads. Paths and plain values in, a result out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from quantize import tflite
from quantize.calibration.calibrate import Calibrated, calibrate
from quantize.calibration.few import write_few
from quantize.calibration.method_names import RangeMethod, RangesOption
from quantize.calibration.samples import SampleStream, digest_of
from quantize.correction.apply import after_rounding, before_calibration, is_rescalable
from quantize.correction.fitting import FittingSamples
from quantize.correction.names import GUARDED, ONLY_INT8, Correction, parse_corrections
from quantize.correction.patches import prepared
from quantize.leftovers import require_none
from quantize.load_check import require_loadable
from quantize.notes import CALIBRATED_ON_SYNTHETIC
from quantize.operators import operators
from quantize.range_choice import quantize_with_ranges
from quantize.recipe import (
    ACTIVATIONS_INT8,
    ACTIVATIONS_INT16,
    Calibration,
    IoType,
    Precision,
    Recipe,
    TensorRange,
    read_recipe,
)
from quantize.result import QuantizationResult
from quantize.rewritten import rewritten
from quantize.rules import observed_tensors, static_rules
from quantize.scheme import Scheme
from quantize.selection import overrides
from quantize.trial import Trial, scores_of
from verify.artifact import sha256_of
from verify.modules import modules_beside
from verify.signature import Signature

NOT_FOR_USE = "NOT FOR USE but to measure speed: all activations were given one range, without looking at any sample"


def make_float16(model: Path, out: Path) -> QuantizationResult:
    """Weights as float16."""
    return _checked(tflite.to_float16(model, out), out)


def make_dynamic_int8(model: Path, out: Path) -> QuantizationResult:
    """Weights as int8, activations quantized as the file runs."""
    return _checked(tflite.to_dynamic_int8(model, out), out)


def make_weight_only_int8(model: Path, out: Path) -> QuantizationResult:
    """Weights as int8, turned back into floats as the file runs."""
    return _checked(tflite.to_weight_only_int8(model, out), out)


def make_int4_weights(model: Path, out: Path) -> QuantizationResult:
    """Weights as int4 where LiteRT computes on them, else int8; activations quantized as the file runs."""
    return _checked(tflite.to_int4_weights(model, out), out)


def make_int8(
    model: Path,
    out: Path,
    *,
    calibration: Path,
    signature: Signature,
    io: IoType,
    max_samples: int,
    corrections: str = "auto",
    ranges: RangesOption = RangesOption.AUTO,
    synthetic: bool = False,
    scheme: Scheme = Scheme(),  # noqa: B008  # frozen
    few: Path | None = None,
    checked: bool = True,
) -> QuantizationResult:
    """Weights and activations as int8, or as ``scheme`` says, with ranges learnt from samples.

    Samples are in PyTorch layout; ``signature`` leads from there to the model's own. Where they are ``synthetic``, the
    recipe and the notes say so. A few of them, such as the anatomy looks at, are written to the folder ``few``.
    Unless ``checked``, nobody has run the file yet: :func:`quantize.load_check.require_loadable` is to be asked.
    The result's recipe remakes the same bytes with :func:`remake_int8`.
    """
    scheme.require_consistent(io)
    wanted = parse_corrections(corrections)
    if scheme.activations is Precision.INT16:
        wanted = tuple(each for each in wanted if each not in ONLY_INT8)
    samples = partial(SampleStream, calibration, signature, max_samples)
    made = partial(_calibrated, model, samples=samples, io=io, ranges=ranges, scheme=scheme)
    result, calibrated = made(out, wanted=wanted)
    if GUARDED.intersection(wanted) and _is_changed(result):
        usual = partial(made, wanted=tuple(each for each in wanted if each not in GUARDED))
        result = _better(out, result, calibrated, usual)
    if scheme.require_full_int8:
        require_none(result.float_ops, model.name)
    if synthetic:
        result = _marked_synthetic(result)
    if few is not None:
        write_few(calibrated.probes, signature, few)
    notes = (f"calibrated on {calibrated.sample_count} samples", *calibrated.notes, *result.notes)
    result = replace(result, notes=notes)
    return _checked(result, out) if checked else result


def _calibrated(
    model: Path,
    out: Path,
    *,
    wanted: tuple[Correction, ...],
    samples: Callable[[], SampleStream],
    io: IoType,
    ranges: RangesOption,
    scheme: Scheme,
) -> tuple[QuantizationResult, Calibrated]:
    wide = ACTIVATIONS_INT16 if scheme.activations is Precision.INT16 else ACTIVATIONS_INT8
    lifted = overrides(scheme.keep_float, scheme.keep_int16, operators(model, modules_beside(model)))
    with ExitStack() as stack:
        source = stack.enter_context(rewritten(model, wide))
        fitting = FittingSamples(source)
        if is_rescalable(source, wanted):
            for sample in samples():
                fitting.offer(digest_of(sample), sample)
        exact = before_calibration(source, fitting.chosen, wanted, [each.output for each in lifted])
        source = stack.enter_context(prepared(source, exact))
        rules = static_rules(source, wide, scheme.weight_bits, per_tensor_weights=scheme.per_tensor_weights)
        recipe = partial(
            Recipe,
            sha256_of(model),
            tflite.ENGINE,
            tflite.engine_version(),
            io,
            rules,
            overrides=lifted,
            input_stats=scheme.input_stats,
            corrections=exact,
        )
        calibrated = calibrate(source, rules, samples(), fitting.offer)
        method, why = _range_method(scheme, ranges)
        result = quantize_with_ranges(source, out, calibrated, recipe, method, why=why)
        result = after_rounding(source, out, result, wanted, samples=fitting.chosen, probes=calibrated.probes)
    return result, calibrated


def _is_changed(result: QuantizationResult) -> bool:
    corrections = None if result.recipe is None else result.recipe.corrections
    return corrections is not None and bool(corrections.structure or corrections.scaled or corrections.shifted)


def _better(
    out: Path,
    result: QuantizationResult,
    calibrated: Calibrated,
    usual: Callable[[Path], tuple[QuantizationResult, Calibrated]],
) -> QuantizationResult:
    """The file at ``out``, or the usual one there if that comes closer to the float model on the probes."""
    other_path = out.with_name(f".{out.name}.usual")
    try:
        other, _ = usual(other_path)
        trials = [
            Trial(RangeMethod.GIVEN, scores_of(path, each.signature, calibrated.probes))
            for path, each in ((out, result), (other_path, other))
        ]
        gain = trials[0].gain_db(trials[1])
        names = ", ".join(each for each in result.recipe.corrections.names if each in GUARDED) if result.recipe else ""
        told = f"corrections of the float model ({names}): {gain:+.1f} dB on samples that set nothing"
        if gain >= 0:
            return replace(result, notes=(*result.notes, told))
        other_path.replace(out)
        return replace(other, notes=(*other.notes, f"{told}, so they were left out"))
    finally:
        other_path.unlink(missing_ok=True)


def _marked_synthetic(result: QuantizationResult) -> QuantizationResult:
    recipe = result.recipe
    if recipe is not None:
        recipe = replace(recipe, calibration=replace(recipe.calibration, synthetic=True))
    return replace(result, recipe=recipe, notes=(CALIBRATED_ON_SYNTHETIC, *result.notes))


def _range_method(scheme: Scheme, ranges: RangesOption) -> tuple[RangeMethod | None, str]:
    """The method and why; ``None`` where files are to be tried, which takes long in LiteRT's int16 kernels."""
    if scheme.activations is Precision.INT16 and ranges.method is None:
        return RangeMethod.MINMAX, "which 16 bits resolve"
    return ranges.method, "as asked"


def make_int8_for_speed(model: Path, out: Path, *, io: IoType, low: float, high: float) -> QuantizationResult:
    """Weights and activations as int8, every activation by one range: it runs as fast as a right one, and is wrong."""
    with rewritten(model) as source:
        rules = static_rules(source)
        ranges = tuple(TensorRange(name, low, high) for name, _ in observed_tensors(source, rules))
        calibration = Calibration(RangeMethod.GIVEN, 0, "", ranges)
        recipe = Recipe(sha256_of(model), tflite.ENGINE, tflite.engine_version(), io, rules, calibration)
        result = tflite.apply_recipe(source, out, recipe)
    return _checked(replace(result, notes=(NOT_FOR_USE, *result.notes)), out)


def remake_int8(model: Path, out: Path, recipe: Path) -> QuantizationResult:
    """Weights and activations as int8, with the ranges of a recipe: no samples, the same bytes as then."""
    read = read_recipe(recipe)
    result = _checked(tflite.to_int8(model, out, read), out)
    if read.calibration.synthetic:
        return replace(result, notes=(CALIBRATED_ON_SYNTHETIC, *result.notes))
    if read.calibration.method is not RangeMethod.GIVEN:
        return result
    return replace(result, notes=(NOT_FOR_USE, *result.notes))


def _checked(result: QuantizationResult, out: Path) -> QuantizationResult:
    """The result, once LiteRT has run the file."""
    return replace(result, notes=(*result.notes, *require_loadable(out)))
