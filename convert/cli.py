"""The ``convert`` command: parses and prints; :mod:`convert.run` does the work.

Flags come from the stages (:mod:`convert.flags`). Importing this imports no framework.
"""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from convert import flags
from convert.settings import RunSettings
from convert.stages.base import Stage
from convert.stages.export import ExportOnnx
from convert.stages.lower import OnnxToSavedModel
from convert.stages.quantize import ToDynamicInt8, ToFloat16, ToInt8
from convert.stages.to_tflite import SavedModelToTflite
from verify.console import progress_console, result_console, run_app
from verify.tolerance import INT8_MIN_SQNR_DB

app = typer.Typer(
    help="PyTorch checkpoints to TensorFlow Lite models that are right, and the proof.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Checkpoint = Annotated[Path, typer.Argument(help="A .pth/.pt state_dict or checkpoint, .safetensors, TorchScript or .pt2 file.")]
OnnxModel = Annotated[Path, typer.Argument(help="An ONNX model.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Output folder [default: the model's name, in this folder].")
]
Samples = Annotated[
    str | None,
    typer.Option("--samples", help="Judge on these instead of random inputs: a folder of images, .npz/.npy, or module:callable."),
]
Calibration = Annotated[
    str | None,
    typer.Option(
        "--calib",
        help="Samples to calibrate int8 on: a folder of images, .npz/.npy, or module:callable. Makes the int8 file; every few "
        "samples are held out to judge it.",
    ),
]
Int8Budget = Annotated[
    float, typer.Option("--int8-min-sqnr-db", help="Budget of the int8 file: signal over quantization noise, dB.")
]
MaxJudging = Annotated[int, typer.Option("--max-judging", min=8, help="Most samples to judge on.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of random inputs.")]
Timeout = Annotated[float | None, typer.Option("--timeout", help="Most seconds that any one stage may take.")]
MemoryLimit = Annotated[float | None, typer.Option("--memory-limit", help="Most GiB that any one worker may use.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report on stdout as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the log of the libraries at the end.")]


def _whole(
    model: Checkpoint,
    output: Output = None,
    calib: Calibration = None,
    samples: Samples = None,
    max_judging: MaxJudging = 32,
    int8_min_sqnr_db: Int8Budget = INT8_MIN_SQNR_DB,
    seed: Seed = 0,
    timeout: Timeout = None,
    memory_limit: MemoryLimit = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Convert a PyTorch checkpoint to TensorFlow Lite, all the way, and verify every step."""


def _part(
    model: Checkpoint,
    output: Output = None,
    samples: Samples = None,
    max_judging: MaxJudging = 32,
    seed: Seed = 0,
    timeout: Timeout = None,
    memory_limit: MemoryLimit = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Convert a PyTorch checkpoint part of the way, and verify every step."""


def _from_onnx(
    model: OnnxModel,
    output: Output = None,
    samples: Samples = None,
    max_judging: MaxJudging = 32,
    seed: Seed = 0,
    timeout: Timeout = None,
    memory_limit: MemoryLimit = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Convert an ONNX model to a TensorFlow SavedModel, and verify it."""


def _from_onnx_whole(
    model: OnnxModel,
    output: Output = None,
    calib: Calibration = None,
    samples: Samples = None,
    max_judging: MaxJudging = 32,
    int8_min_sqnr_db: Int8Budget = INT8_MIN_SQNR_DB,
    seed: Seed = 0,
    timeout: Timeout = None,
    memory_limit: MemoryLimit = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Convert an ONNX model to TensorFlow Lite, and verify every step."""


def _body(values: Mapping[str, Any], stages: Sequence[Stage]) -> None:
    """Run a command whose options and stages are parsed."""
    from convert.progress import Progress
    from convert.run import convert
    from convert.verdict import exit_code
    from verify.report.terminal import render_summary
    from verify.worker import Limits

    memory_gib = values["memory_limit"]
    settings = RunSettings(
        output=values["output"],
        calibration=values.get("calib"),
        evaluation=values["samples"],
        max_judging=values["max_judging"],
        seed=values["seed"],
        int8_min_sqnr_db=values.get("int8_min_sqnr_db", INT8_MIN_SQNR_DB),
        limits=Limits(
            timeout_s=values["timeout"], memory_bytes=int(memory_gib * 2**30) if memory_gib is not None else None
        ),
        command=shlex.join(["convert", *sys.argv[1:]]),
    )
    console = progress_console()
    with Progress(console, quiet=values["quiet"]) as progress:
        outcome = convert(flags.existing(values["model"]), stages, settings, progress)
    if values["verbose"] and (outcome.folder / "run.log").exists():
        console.print((outcome.folder / "run.log").read_text(errors="replace"), markup=False, soft_wrap=True)
    if values["as_json"]:
        sys.stdout.write((outcome.folder / "report.json").read_text())
    else:
        render_summary(outcome.report, result_console(), html_path=outcome.folder / "report.html")
    raise typer.Exit(int(exit_code(outcome.report.verdict)))


_QUANTIZED = (ToFloat16, ToDynamicInt8, ToInt8)
_COMMANDS: tuple[tuple[str, tuple[type[Stage], ...], Any, str], ...] = (
    ("pth2tflite", (ExportOnnx, OnnxToSavedModel, SavedModelToTflite, *_QUANTIZED), _whole, _whole.__doc__ or ""),
    ("pth2onnx", (ExportOnnx,), _part, "Export a PyTorch checkpoint to ONNX with a dynamic batch axis, and verify it."),
    ("pth2tf", (ExportOnnx, OnnxToSavedModel), _part, "Convert a PyTorch checkpoint to a TensorFlow SavedModel, and verify it."),
    ("onnx2tf", (OnnxToSavedModel,), _from_onnx, _from_onnx.__doc__ or ""),
    ("onnx2tflite", (OnnxToSavedModel, SavedModelToTflite, *_QUANTIZED), _from_onnx_whole, _from_onnx_whole.__doc__ or ""),
)
for _name, _stages, _shared, _help in _COMMANDS:
    app.command(_name, help=_help)(flags.command(_stages, _shared, _body))


def main() -> NoReturn:
    """Entry point. A polite end (SIGTERM) cleans up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _interrupt)
    run_app(app)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
