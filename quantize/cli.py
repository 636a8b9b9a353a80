"""``quantize MODEL.tflite``: int8 and its relatives from any float TFLite file."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from verify.console import progress_console, result_console, run_app

if TYPE_CHECKING:
    from quantize.command import Quantized

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class TargetOption(StrEnum):
    """``--to``."""

    FLOAT16 = "float16"
    DYNAMIC_INT8 = "dynamic-int8"
    INT8 = "int8"


class IoOption(StrEnum):
    """``--int8-io``."""

    INT8 = "int8"
    UINT8 = "uint8"
    FLOAT32 = "float32"


@app.command()
def quantize(
    model: Annotated[Path, typer.Argument(help="A float TFLite file.", metavar="MODEL.tflite")],
    *,
    to: Annotated[TargetOption | None, typer.Option(help="What to make; int8 when there are samples.")] = None,
    calib: Annotated[
        str | None,
        typer.Option(help="Samples for int8: a .npz or .npy file, a folder of batches, or package.module:callable."),
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="Make int8 again as this recipe says: the same bytes.")] = None,
    int8_io: Annotated[IoOption, typer.Option(help="What the int8 file takes and gives.")] = IoOption.INT8,
    max_samples: Annotated[int, typer.Option(min=1, help="Use at most this many calibration samples.")] = 128,
    corrections: Annotated[
        str, typer.Option(help="Against rounding's harm: auto, none, or some of gptq,bias.", metavar="NAMES")
    ] = "auto",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Quantize a float TFLite file. It is written only after LiteRT has loaded it and run it at batch 1, 2 and 5."""
    from quantize.command import Request, Target, quantize_file
    from quantize.recipe import IoType
    from verify.errors import InputError

    if to is None and calib is None and recipe is None:
        raise InputError(
            "there is nothing to do: neither samples nor --to were given",
            fix="give --calib data.npz for int8, or --to float16 or --to dynamic-int8, which need no samples",
        )
    target = Target((to or TargetOption.INT8).value.replace("-", "_"))
    if target is not Target.INT8 and (calib or recipe):
        raise InputError(
            f"--to {target.value.replace('_', '-')} takes neither samples nor a recipe",
            fix="leave out --to to make int8, or leave out --calib and --recipe",
        )
    request = Request(model, target, output, calib, recipe, IoType(int8_io.value), max_samples, corrections)
    with progress_console().status(f"making {target.value} of {model.name}"):
        made = quantize_file(request)
    if as_json:
        typer.echo(json.dumps(_as_json(made), indent=2))
    else:
        _print(model, made)


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
    }


def _print(model: Path, made: Quantized) -> None:
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
        console.print(f"  left in float: {each.count} × {each.op}: {each.reason}", markup=False, soft_wrap=True)
    if made.recipe_path is not None:
        console.print(f"  recipe: {made.recipe_path}", markup=False, soft_wrap=True)


def main() -> None:
    """The console command."""
    run_app(app)
