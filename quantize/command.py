"""One file quantized: a worker does it, and only a file that has run in LiteRT gets its name."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from quantize.anatomy.apart import LITERT, AnatomyApart
from quantize.anatomy.lifted import with_reasons
from quantize.budget.evaluation import Evaluation, hold_out, write_evaluation
from quantize.budget.goal import Budget, BudgetMissed, Standing
from quantize.budget.job import lift_within_budget
from quantize.budget.plot import plot_path_beside, write_plot
from quantize.budget.report import report_path_beside, write_report
from quantize.budget.words import how_close, remedy, with_lifted
from quantize.calibration.method_names import RangesOption
from quantize.calibration.sources import CalibrationBatches, Normalisation, calibration_batches, sample_inputs
from quantize.jobs import (
    make_dynamic_int8,
    make_float16,
    make_int4_weights,
    make_int8,
    make_int8_for_speed,
    make_weight_only_int8,
    remake_int8,
)
from quantize.load_check import require_loadable
from quantize.recipe import IoType, Precision, recipe_path_beside, write_recipe
from quantize.result import QuantizationResult
from quantize.scheme import Scheme, parse_input_stats
from verify.artifact import Artifact, Format, sha256_of
from verify.errors import InfrastructureError, InputError, SamplesInvalid
from verify.report.anatomy_files import anatomy_path_beside, write_anatomy, write_anatomy_page
from verify.runners.tflite_file import tflite_signature, tflite_signature_like
from verify.samples.source import parse_samples
from verify.signature import Signature
from verify.signature_file import declared_artifact, read_signatures, write_signatures
from verify.worker import Worker

_LAST_WORDS = 5
"""Lines of the worker's log that an infrastructure error carries."""


class Target(StrEnum):
    """What to make of a float file. The value is also what its name ends in."""

    FLOAT16 = "float16"
    DYNAMIC_INT8 = "dynamic_int8"
    WEIGHT_ONLY_INT8 = "weight_only_int8"
    INT4_WEIGHTS = "int4_weights"
    INT8 = "int8"
    INT16X8 = "int16x8"


STATIC = frozenset({Target.INT8, Target.INT16X8})
"""Those that compute in integers throughout, and so need samples or a recipe."""

_WITHOUT_DATA = {
    Target.FLOAT16: make_float16,
    Target.DYNAMIC_INT8: make_dynamic_int8,
    Target.WEIGHT_ONLY_INT8: make_weight_only_int8,
    Target.INT4_WEIGHTS: make_int4_weights,
}


@dataclass(frozen=True)
class Request:
    """What to quantize and how. Static int8 needs ``calibration`` (any sample source, or batches) or ``recipe``."""

    model: Path
    target: Target
    out: Path | None = None
    calibration: str | Iterable[Any] | None = None
    recipe: Path | None = None
    io: IoType = IoType.INT8
    max_samples: int = 128
    corrections: str = "auto"
    ranges: RangesOption = RangesOption.AUTO
    normalisation: Normalisation | None = None
    """Of images in a folder."""
    default_ranges: tuple[float, float] | None = None
    """For every activation, in place of samples: the file is for measuring speed only."""
    budget: Budget | None = None
    """What may be lost; ops are lifted to float until it is kept."""
    evaluation: str | None = None
    """Samples that judge, with labels where there are; without, every fourth calibration sample judges."""
    even_if_missed: bool = False
    """Write the file that comes closest where none keeps the budget."""
    keep_float: tuple[str, ...] = ()
    keep_int16: tuple[str, ...] = ()
    weight_bits: int = 8
    per_tensor_weights: bool = False
    input_stats: tuple[str, ...] = ()
    require_full_int8: bool = False


@dataclass(frozen=True)
class Quantized:
    """The file that was made, and the recipe and a page on its inside beside it (static int8 only)."""

    artifact: Artifact
    result: QuantizationResult
    recipe_path: Path | None
    anatomy_page: Path | None = None


def quantize_file(request: Request) -> Quantized:
    """Quantize one file in a worker. Nothing is visible under the final name until the file has loaded and run.

    Raises:
        InputError: the model, the samples or the recipe cannot be used.
        QuantizationFailed: the quantizer refuses, or what it made does not run.
        BudgetMissed: no file keeps the budget. What was tried is written beside, the file is not.
    """
    if not request.model.is_file():
        raise InputError(f"{request.model} does not exist", fix="check the spelling, and the folder you are in")
    declared = declared_artifact(request.model)
    signature = declared.signature if declared else tflite_signature(request.model, {})
    _require_float(request.model, signature)
    out = request.out or _default_out(request.model, request.target)
    if out.resolve() == request.model.resolve():
        raise InputError(f"{out} is the input itself", fix="give another name with --output")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".quantize-") as scratch:
        made = Path(scratch) / out.name
        result = _in_worker(request, signature, made)
        if result.budget is not None:
            write_report(report_path_beside(out), result.budget)
            write_plot(plot_path_beside(out), result.budget)
            if _in_vain(request, result):
                raise BudgetMissed(how_close(result.budget), fix=remedy(result.budget))
        made.replace(out)
    recipe_path = None
    if result.recipe is not None:
        recipe_path = recipe_path_beside(out)
        write_recipe(recipe_path, result.recipe)
    page = None
    if result.anatomy is not None:
        write_anatomy(anatomy_path_beside(out), result.anatomy)
        page = write_anatomy_page(out, result.anatomy)
    artifact = Artifact(out, Format.TFLITE, tflite_signature_like(out, signature), sha256_of(out))
    if declared:
        _declare(artifact)
    return Quantized(artifact, replace(result, signature=artifact.signature), recipe_path, page)


def _in_worker(request: Request, signature: Signature, made: Path) -> QuantizationResult:
    log = made.with_suffix(".log")
    try:
        with Worker("quantize", log_path=log, preload=("quantize.jobs", *LITERT)) as worker:
            if request.target not in STATIC:
                return worker.run(_WITHOUT_DATA[request.target], model=request.model, out=made).value
            if request.recipe is not None:
                return worker.run(remake_int8, model=request.model, out=made, recipe=request.recipe).value
            if request.default_ranges is not None:
                low, high = request.default_ranges
                return worker.run(
                    make_int8_for_speed, model=request.model, out=made, io=request.io, low=low, high=high
                ).value
            return _from_samples(request, signature, made, worker)
    except InfrastructureError as error:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        raise error.within(*lines[-_LAST_WORDS:]) from None


def _scheme(request: Request, signature: Signature) -> Scheme:
    inputs = [spec.name for spec in signature.inputs if spec.dtype == "float32"]
    return Scheme(
        Precision.INT16 if request.target is Target.INT16X8 else Precision.INT8,
        request.weight_bits,
        request.per_tensor_weights,
        request.keep_float,
        request.keep_int16,
        tuple(parse_input_stats(text, inputs) for text in request.input_stats),
        request.require_full_int8,
    )


def _io(request: Request) -> IoType:
    """The integers at the edges of a 16x8 file are int16."""
    wide = request.target is Target.INT16X8 and request.io is IoType.INT8
    return IoType.INT16 if wide else request.io


def _from_samples(request: Request, signature: Signature, made: Path, worker: Worker) -> QuantizationResult:
    if request.calibration is None:
        raise InputError(
            "a static int8 file needs samples of what the model will see",
            fix="give --calib data.npz (or a folder, or module:callable), or make --to dynamic-int8, which needs none",
        )
    with AnatomyApart() as apart:
        batches = calibration_batches(
            request.calibration,
            signature,
            made.parent,
            worker,
            max_samples=request.max_samples,
            normalisation=request.normalisation,
        )
        calibration, evaluation = _judging(request, batches, made.parent, worker)
        few = made.parent / "few"
        result = worker.run(
            make_int8,
            model=request.model,
            out=made,
            calibration=calibration,
            signature=batches.signature,
            io=_io(request),
            max_samples=request.max_samples,
            corrections=request.corrections,
            ranges=request.ranges,
            scheme=_scheme(request, signature),
            few=few,
            checked=False,
        ).value
        if request.budget is not None and evaluation is not None and result.recipe is not None:
            lifted = worker.run(
                lift_within_budget,
                model=request.model,
                out=made,
                recipe=result.recipe,
                calibration=calibration,
                evaluation=evaluation,
                signature=batches.signature,
                budget=request.budget,
            ).value
            float_ops = lifted.float_ops if lifted.budget is None else with_lifted(lifted.float_ops, lifted.budget)
            result = replace(lifted, float_ops=float_ops, notes=(*result.notes, *lifted.notes))
        if result.recipe is not None and not _in_vain(request, result):
            apart.begin(
                request.model,
                made,
                recipe=result.recipe,
                calibration=few,
                signature=batches.signature,
                max_samples=request.max_samples,
            )
        if result.budget is None:
            result = replace(result, notes=(*result.notes, *worker.run(require_loadable, path=made).value))
        anatomy, notes = apart.answer()
    if anatomy is not None and result.budget is not None:
        anatomy = with_reasons(anatomy, result.budget)
    return replace(result, anatomy=anatomy, notes=(*batches.notes, *result.notes, *notes))


def _in_vain(request: Request, result: QuantizationResult) -> bool:
    """Whether the file will not be written, so that nobody is to be told of its inside."""
    missed = result.budget is not None and result.budget.standing is Standing.MISSED
    return missed and not request.even_if_missed


def _judging(
    request: Request, batches: CalibrationBatches, scratch: Path, worker: Worker
) -> tuple[Path, Evaluation | None]:
    """What calibrates, and what judges where there is a budget."""
    if request.budget is None:
        return batches.folder, None
    if request.evaluation is None:
        held = worker.run(hold_out, source=batches.folder, scratch=scratch).value
        return held.calibration, held.evaluation
    if request.evaluation == request.calibration:
        raise SamplesInvalid(
            f"{request.evaluation} is to calibrate and to judge: calibration samples never judge",
            fix="leave out --eval, and every fourth of them judges and calibrates nothing; or name others",
        )
    source = parse_samples(request.evaluation)
    inputs = sample_inputs(batches.signature, request.normalisation)
    return batches.folder, worker.run(write_evaluation, source=source, inputs=inputs, scratch=scratch).value


def _require_float(model: Path, signature: Signature) -> None:
    quantized = [spec for spec in (*signature.inputs, *signature.outputs) if spec.quantization is not None]
    if quantized:
        raise InputError(
            f"{model.name} is quantized already: its {quantized[0].name!r} is {quantized[0].dtype}",
            fix="give the float32 file it was made from",
        )


def _default_out(model: Path, target: Target) -> Path:
    return model.with_name(f"{model.stem.removesuffix('_float32')}_{target.value}.tflite")


def _declare(artifact: Artifact) -> None:
    """Enter the new file in the ``signature.json`` that is there: its layouts are the float file's."""
    folder = artifact.path.parent
    others = [
        Artifact(folder / name, declared.format, declared.signature, declared.sha256)
        for name, declared in read_signatures(folder).items()
        if name != artifact.path.name
    ]
    write_signatures(folder, (*others, artifact))
