"""float32 TFLite → float16, dynamic-range int8 and int8 TFLite. Each has run in LiteRT before it counts as made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from convert.stages.base import Host, Stage, StageResult, flag, scratch_input
from quantize.calibration.method_names import RangesOption
from quantize.correction.names import CHOICE, parse_corrections
from quantize.recipe import DEFAULT_MAX_SAMPLES, IoOption, IoType
from verify.artifact import Artifact, Format, sha256_of
from verify.errors import InputError, SamplesInvalid
from verify.report.types import Refusal

if TYPE_CHECKING:
    from quantize.result import QuantizationResult

_PACKAGES = ("ai-edge-quantizer", "ai-edge-litert")


@dataclass(frozen=True)
class ToFloat16(Stage):
    """Weights as float16, arithmetic in float32: half the size. Needs no data."""

    name: ClassVar[str] = "float16"
    title: ClassVar[str] = "float32 → float16 TFLite"
    consumes: ClassVar[Format] = Format.TFLITE
    produces: ClassVar[Format] = Format.TFLITE
    host: ClassVar[Host] = Host.RUNTIME
    artifact_name: ClassVar[str] = "float16"
    suffix: ClassVar[str] = "_float16.tflite"
    relevant_packages: ClassVar[tuple[str, ...]] = _PACKAGES

    def call(self, artifact: Artifact, out: Path) -> StageResult:
        """Quantize and load-check; raises ``QuantizationFailed``."""
        from quantize.jobs import make_float16

        return _stage_result(self.name, artifact, out, make_float16(artifact.path, out))


@dataclass(frozen=True)
class ToDynamicInt8(Stage):
    """Weights as int8, activations quantized as the file runs: a quarter of the size. Needs no data."""

    name: ClassVar[str] = "dynamic_int8"
    title: ClassVar[str] = "float32 → dynamic int8 TFLite"
    consumes: ClassVar[Format] = Format.TFLITE
    produces: ClassVar[Format] = Format.TFLITE
    host: ClassVar[Host] = Host.RUNTIME
    artifact_name: ClassVar[str] = "dynamic_int8"
    suffix: ClassVar[str] = "_dynamic_int8.tflite"
    relevant_packages: ClassVar[tuple[str, ...]] = _PACKAGES

    def call(self, artifact: Artifact, out: Path) -> StageResult:
        """Quantize and load-check; raises ``QuantizationFailed``."""
        from quantize.jobs import make_dynamic_int8

        return _stage_result(self.name, artifact, out, make_dynamic_int8(artifact.path, out))


@dataclass(frozen=True)
class ToInt8(Stage):
    """Weights and activations as int8, with ranges learnt from calibration samples; a recipe is written beside it."""

    name: ClassVar[str] = "int8"
    title: ClassVar[str] = "float32 → int8 TFLite"
    consumes: ClassVar[Format] = Format.TFLITE
    produces: ClassVar[Format] = Format.TFLITE
    host: ClassVar[Host] = Host.RUNTIME
    artifact_name: ClassVar[str] = "int8"
    suffix: ClassVar[str] = "_int8.tflite"
    relevant_packages: ClassVar[tuple[str, ...]] = _PACKAGES

    int8_io: IoOption = flag(IoOption.INT8, "What the int8 file takes and gives.")
    keep_float: tuple[str, ...] = flag(
        (), "ops to leave in float: an op type, a PyTorch module (features.0.*) or a tensor", metavar="PATTERN"
    )
    keep_int16: tuple[str, ...] = flag((), "ops to give int16 activations, named likewise", metavar="PATTERN")
    input_stats: tuple[str, ...] = flag(
        (), "what an input's bytes mean: real = (byte - MEAN) / STD", metavar="[NAME=]MEAN,STD"
    )
    require_full_int8: bool = flag(False, "Fail, and say why, if any op stays in float.")
    max_samples: int = flag(DEFAULT_MAX_SAMPLES, "Use at most this many calibration samples.")
    ranges: RangesOption = flag(
        RangesOption.AUTO, "How int8 ranges are chosen; auto tries several on held-back samples."
    )
    corrections: str = flag("auto", f"Corrections: {CHOICE}.", metavar="NAMES")
    calibration: Path | None = scratch_input()
    """Folder of ``batch_*.npz`` in PyTorch layout; written by the pipeline from ``--calib``."""
    synthetic: bool = False
    """No flag: said by the pipeline where those samples are no real ones."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` for options that mean nothing, before anything runs."""
        parse_corrections(self.corrections)
        if self.int8_io not in set(IoOption):
            raise InputError(
                f"an int8 file with {self.int8_io} inputs and outputs", fix=f"give {', '.join(IoOption)} as int8_io"
            )

    def call(self, artifact: Artifact, out: Path) -> StageResult:
        """Calibrate, quantize, load-check, write the recipe and what the file is like inside.

        Raises ``SamplesInvalid`` or ``QuantizationFailed``.
        """
        from quantize.anatomy.apart import anatomy_apart
        from quantize.jobs import make_int8
        from quantize.recipe import recipe_path_beside, write_recipe
        from quantize.scheme import Scheme, parse_input_stats
        from verify.report.anatomy_files import anatomy_path_beside, write_anatomy

        if self.calibration is None:
            raise SamplesInvalid(
                "a static int8 file needs calibration samples, and none were given",
                fix="give some with --calib, or use the dynamic int8 file, which needs none",
            )
        inputs = [spec.name for spec in artifact.signature.inputs if spec.dtype == "float32"]
        scheme = Scheme(
            keep_float=self.keep_float,
            keep_int16=self.keep_int16,
            input_stats=tuple(parse_input_stats(text, inputs) for text in self.input_stats),
            require_full_int8=self.require_full_int8,
        )
        result = make_int8(
            artifact.path,
            out,
            calibration=self.calibration,
            signature=artifact.signature,
            io=IoType(self.int8_io),
            max_samples=self.max_samples,
            scheme=scheme,
            corrections=self.corrections,
            ranges=self.ranges,
            synthetic=self.synthetic,
        )
        if result.recipe is not None:
            write_recipe(recipe_path_beside(out), result.recipe)
            anatomy, notes = anatomy_apart(
                artifact.path,
                out,
                recipe=result.recipe,
                calibration=self.calibration,
                signature=artifact.signature,
                max_samples=self.max_samples,
            )
            result = replace(result, notes=(*result.notes, *notes))
            if anatomy is not None:
                write_anatomy(anatomy_path_beside(out), anatomy)
        return _stage_result(self.name, artifact, out, result)


def _stage_result(stage: str, source: Artifact, out: Path, result: QuantizationResult) -> StageResult:
    from verify.runners.tflite_file import tflite_signature_like

    signature = tflite_signature_like(out, source.signature)
    refusals = tuple(Refusal(stage, each.op, each.reason, each.remedy, each.count) for each in result.float_ops)
    return StageResult(Artifact(out, Format.TFLITE, signature, sha256_of(out)), result.notes, refusals)
