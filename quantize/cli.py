"""``quantize MODEL.tflite``: int8 and its relatives from any float TFLite file."""

from __future__ import annotations

import json
import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantize.budget.goal import LEAST_INT8_MACS, MetricOption
from quantize.calibration.method_names import RangesOption
from quantize.correction.names import CHOICE, parse_corrections
from quantize.recipe import IoOption
from verify.console import progress_console, result_console, run_app

if TYPE_CHECKING:
    from quantize.command import Quantized

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_WORST_SHOWN = 3
"""Layers, on the terminal; the page lists more."""


class TargetOption(StrEnum):
    """``--to``."""

    FLOAT16 = "float16"
    DYNAMIC_INT8 = "dynamic-int8"
    WEIGHT_ONLY_INT8 = "weight-only-int8"
    INT4_WEIGHTS = "int4-weights"
    INT8 = "int8"
    INT16X8 = "int16x8"


@app.command()
def quantize(
    model: Annotated[Path, typer.Argument(help="A float TFLite file.", metavar="MODEL.tflite")],
    *,
    to: Annotated[TargetOption | None, typer.Option(help="What to make; int8 when there are samples.")] = None,
    calib: Annotated[
        str | None,
        typer.Option(help="Samples for int8: a folder of images or batches, .npz, .npy, or package.module:callable."),
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="Make int8 again as this recipe says: the same bytes.")] = None,
    int8_io: Annotated[IoOption, typer.Option(help="What the int8 file takes and gives.")] = IoOption.INT8,
    max_samples: Annotated[int, typer.Option(min=1, help="Use at most this many calibration samples.")] = 128,
    mean: Annotated[
        str | None, typer.Option(help="Of images in 0..1, a number a channel: 0.485,0.456,0.406.", metavar="NUMBERS")
    ] = None,
    std: Annotated[str | None, typer.Option(help="What images are divided by then.", metavar="NUMBERS")] = None,
    ranges: Annotated[
        RangesOption, typer.Option(help="How ranges are chosen; auto tries several on samples held back.")
    ] = RangesOption.AUTO,
    default_ranges: Annotated[
        str | None,
        typer.Option(help="One range for all activations, without samples: to measure speed only.", metavar="LOW,HIGH"),
    ] = None,
    corrections: Annotated[
        str,
        typer.Option(help=f"Corrections: {CHOICE}.", metavar="NAMES"),
    ] = "auto",
    max_drop: Annotated[
        str | None,
        typer.Option(
            help="Lift ops to float until the task's metric falls by no more than this: 0.5%.", metavar="SHARE"
        ),
    ] = None,
    min_sqnr_db: Annotated[
        float | None, typer.Option(help="Lift ops to float until outputs are this close to the float file's, in dB.")
    ] = None,
    min_top1_agreement: Annotated[
        str | None,
        typer.Option(help="Lift ops to float until so many samples get the float file's class: 99%.", metavar="SHARE"),
    ] = None,
    evaluation: Annotated[
        str | None,
        typer.Option(
            "--eval",
            help="Samples that judge a budget, with labels where there are: a folder with one folder a class, or a "
            ".npz with an array 'truth'. Without, every fourth calibration sample judges.",
        ),
    ] = None,
    metric: Annotated[
        MetricOption, typer.Option(help="What --max-drop is of; auto goes by the labels.")
    ] = MetricOption.AUTO,
    min_int8_macs: Annotated[
        str, typer.Option(help="Keep at least this share of the multiplications in int8.", metavar="SHARE")
    ] = f"{LEAST_INT8_MACS:.0%}",
    even_if_missed: Annotated[
        bool, typer.Option("--even-if-missed", help="Write the closest file where none keeps the budget.")
    ] = False,
    keep_float: Annotated[
        list[str] | None,
        typer.Option(help="Ops to leave in float: an op type, a PyTorch module (features.0.*) or a tensor."),
    ] = None,
    keep_int16: Annotated[list[str] | None, typer.Option(help="Ops to give int16 activations, named likewise.")] = None,
    weight_bits: Annotated[
        int, typer.Option(help="8, or 4 for the weights of CONV_2D and FULLY_CONNECTED.", metavar="4|8")
    ] = 8,
    per_tensor_weights: Annotated[
        bool, typer.Option("--per-tensor-weights", help="One scale for all of an op's weights, for NPUs that want it.")
    ] = False,
    input_stats: Annotated[
        list[str] | None,
        typer.Option(help="What an input's bytes mean: real = (byte - MEAN) / STD.", metavar="[NAME=]MEAN,STD"),
    ] = None,
    require_full_int8: Annotated[
        bool, typer.Option("--require-full-int8", help="Fail, and say why, if any op stays in float.")
    ] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Quantize a float TFLite file. It is written only after LiteRT has loaded it and run it at batch 1, 2 and 5."""
    from quantize.budget.goal import budget_of
    from quantize.budget.words import exit_code
    from quantize.calibration.sources import Normalisation
    from quantize.command import STATIC, Request, Target, quantize_file
    from quantize.recipe import IoType
    from verify.errors import InputError

    given = None if default_ranges is None else _range(default_ranges)
    if to is None and calib is None and recipe is None and given is None:
        raise InputError(
            "there is nothing to do: neither samples nor --to were given",
            fix="give --calib data.npz for int8, or --to float16 or --to dynamic-int8, which need no samples",
        )
    parse_corrections(corrections)
    target = Target((to or TargetOption.INT8).value.replace("-", "_"))
    if given and (calib or recipe):
        raise InputError(
            "--default-ranges takes the place of samples and recipes",
            fix="leave it out for a file that is to be used; it is for measuring speed before there are samples",
        )
    chosen = corrections != "auto" or ranges is not RangesOption.AUTO
    kept = keep_float or keep_int16 or input_stats or require_full_int8
    wishes = bool(chosen or kept or weight_bits != 8 or per_tensor_weights)
    if target not in STATIC and (calib or recipe or given or wishes):
        raise InputError(
            f"--to {target.value.replace('_', '-')} takes neither samples nor a recipe, nor what goes with them",
            fix="leave out --to to make int8, or leave out --calib, --recipe and what says how to use them",
        )
    if wishes and (recipe or given):
        raise InputError(
            "ranges, corrections, ops kept, weight bits and input statistics go with --calib; "
            "a recipe says them already",
            fix="leave out --recipe or --default-ranges and calibrate, or leave out what changes the file",
        )
    budget = budget_of(max_drop, min_sqnr_db, min_top1_agreement, metric, min_int8_macs)
    if (budget or evaluation) and (budget is None or calib is None or target is not Target.INT8):
        raise InputError(
            "a budget is kept by an int8 file made from samples"
            if budget
            else "--eval judges a budget, and there is none",
            fix="give --calib, and --max-drop 0.5%, --min-sqnr-db 25 or --min-top1-agreement 99%",
        )
    if budget and require_full_int8:
        raise InputError(
            "every op is to be int8, and a budget lifts some to float",
            fix="leave out --require-full-int8, or the budget",
        )
    known = mean is not None or std is not None
    request = Request(
        model,
        target,
        output,
        calib,
        recipe,
        io=IoType(int8_io.value),
        max_samples=max_samples,
        corrections=corrections,
        ranges=ranges,
        normalisation=Normalisation(_numbers(mean or "0", "--mean"), _numbers(std or "1", "--std")) if known else None,
        default_ranges=given,
        budget=budget,
        evaluation=evaluation,
        even_if_missed=even_if_missed,
        keep_float=tuple(keep_float or ()),
        keep_int16=tuple(keep_int16 or ()),
        weight_bits=weight_bits,
        per_tensor_weights=per_tensor_weights,
        input_stats=tuple(input_stats or ()),
        require_full_int8=require_full_int8,
    )
    with progress_console().status(f"making {target.value} of {model.name}"):
        made = quantize_file(request)
    if as_json:
        typer.echo(json.dumps(_as_json(made), indent=2))
    else:
        _print(model, made)
    raise typer.Exit(exit_code(made.result.budget))


def _range(text: str) -> tuple[float, float]:
    from verify.errors import InputError

    numbers = _numbers(text, "--default-ranges")
    if len(numbers) != 2 or not numbers[0] <= 0 <= numbers[1] or numbers[0] == numbers[1]:
        raise InputError(f"--default-ranges {text} is no range around zero", fix="give two numbers, as in -1,1")
    return numbers[0], numbers[1]


def _numbers(text: str, option: str) -> tuple[float, ...]:
    from verify.errors import InputError

    try:
        numbers = tuple(map(float, text.split(",")))
    except ValueError:
        numbers = (math.nan,)
    if not all(map(math.isfinite, numbers)):
        raise InputError(f"{option} takes numbers with commas between them, and {text!r} is none")
    return numbers


def _as_json(made: Quantized) -> dict[str, object]:
    from verify.jsonio import to_jsonable

    return {
        "file": str(made.artifact.path),
        "sha256": made.artifact.sha256,
        "size_bytes": made.artifact.path.stat().st_size,
        "signature": to_jsonable(made.artifact.signature),
        "recipe": None if made.recipe_path is None else str(made.recipe_path),
        "float_ops": to_jsonable(made.result.float_ops),
        "notes": list(made.result.notes),
        "budget": to_jsonable(made.result.budget),
        "anatomy_page": None if made.anatomy_page is None else str(made.anatomy_page),
    }


def _print(model: Path, made: Quantized) -> None:
    from quantize.budget.words import LIFTED

    console = result_console()
    size, original = made.artifact.path.stat().st_size, model.stat().st_size
    console.print(f"{made.artifact.path}  {size / 2**20:.2f} MiB, {original / size:.1f} times smaller", soft_wrap=True)
    for role, specs in (("takes", made.artifact.signature.inputs), ("gives", made.artifact.signature.outputs)):
        for spec in specs:
            stored = spec.quantization
            scale = "" if stored is None else f", scale {stored.scale:.6g}, zero point {stored.zero_point}"
            dims = ", ".join(map(str, spec.shape))
            console.print(f"  {role} {spec.name}: {spec.dtype} ({dims}){scale}", markup=False, soft_wrap=True)
    for note in made.result.notes:
        console.print(f"  {note}", markup=False, soft_wrap=True)
    for each in made.result.float_ops:
        if each.reason == LIFTED:
            continue  # the notes name them, and why
        console.print(f"  left in float: {each.count} × {each.op}: {each.reason}", markup=False, soft_wrap=True)
    if made.anatomy_page is not None and made.result.anatomy is not None:
        for finding in made.result.anatomy.findings[:_WORST_SHOWN]:
            layer = made.result.anatomy.layers[finding.layer]
            console.print(f"  {layer.label} ({layer.op}) {finding.words}", markup=False, soft_wrap=True)
        console.print(f"  layer by layer: {made.anatomy_page}", markup=False, soft_wrap=True)
    if made.recipe_path is not None:
        console.print(f"  recipe: {made.recipe_path}", markup=False, soft_wrap=True)


def main() -> None:
    """The console command."""
    run_app(app)
