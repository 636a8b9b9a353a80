"""The ``convert`` command: parses and prints; :mod:`convert.run` does the work.

Flags come from the stages and the run's options (:mod:`convert.flags`). Importing this imports no framework.
"""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import typer

from convert import flags
from convert.settings import CalibrationFlags, RunFlags, settings_from_flags
from convert.stages.base import Stage
from convert.stages.export import ExportOnnx
from convert.stages.lower import OnnxToSavedModel
from convert.stages.quantize import ToDynamicInt8, ToFloat16, ToInt8
from convert.stages.to_tflite import SavedModelToTflite
from convert.zoo.cli import app as zoo_app
from verify.console import progress_console, result_console, run_app

app = typer.Typer(
    help="PyTorch checkpoints to TensorFlow Lite models that are right, and the proof.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_CHECKPOINT = "A state_dict or training checkpoint (.pth, .pt, .ckpt), .safetensors, TorchScript or .pt2 file."
_ONNX = "An ONNX model."
_QUANTIZED = (ToFloat16, ToDynamicInt8, ToInt8)


@dataclass(frozen=True)
class Command:
    """A way through the pipeline: where it is entered, and where it is left."""

    name: str
    help: str
    takes: str
    stages: tuple[type[Stage], ...]

    @property
    def makes_int8(self) -> bool:
        """Whether calibration samples mean anything to it."""
        return ToInt8 in self.stages

    def run(self, parsed: flags.Parsed) -> None:
        """Do what the command line says, print the result, and leave with the verdict's exit code."""
        from convert.progress import Progress
        from convert.run import convert
        from verify.chain.verdict import exit_code
        from verify.report.terminal import render_summary

        options = parsed.build(RunFlags)
        calibration = parsed.build(CalibrationFlags) if self.makes_int8 else None
        settings = settings_from_flags(options, calibration, shlex.join(["convert", *sys.argv[1:]]))
        stages = [parsed.build(stage) for stage in self.stages]
        console = progress_console()
        with Progress(console, quiet=options.quiet) as progress:
            outcome = convert(parsed.model, stages, settings, progress)
        if options.verbose:
            log = (outcome.folder / "run.log").read_text(errors="replace")
            console.print(log, markup=False, soft_wrap=True)
        if options.as_json:
            sys.stdout.write((outcome.folder / "report.json").read_text(encoding="utf-8"))
        else:
            render_summary(outcome.report, result_console(), html_path=outcome.folder / "report.html")
        raise typer.Exit(int(exit_code(outcome.report.verdict)))


COMMANDS: Sequence[Command] = (
    Command(
        "pth2tflite",
        "Convert a PyTorch checkpoint to TensorFlow Lite, all the way, and verify every step.",
        _CHECKPOINT,
        (ExportOnnx, OnnxToSavedModel, SavedModelToTflite, *_QUANTIZED),
    ),
    Command(
        "pth2onnx",
        "Export a PyTorch checkpoint to ONNX with a dynamic batch axis, and verify it.",
        _CHECKPOINT,
        (ExportOnnx,),
    ),
    Command(
        "pth2tf",
        "Convert a PyTorch checkpoint to a TensorFlow SavedModel, and verify every step.",
        _CHECKPOINT,
        (ExportOnnx, OnnxToSavedModel),
    ),
    Command("onnx2tf", "Convert an ONNX model to a TensorFlow SavedModel, and verify it.", _ONNX, (OnnxToSavedModel,)),
    Command(
        "onnx2tflite",
        "Convert an ONNX model to TensorFlow Lite, and verify every step.",
        _ONNX,
        (OnnxToSavedModel, SavedModelToTflite, *_QUANTIZED),
    ),
)


def _add(command: Command) -> None:
    kinds: list[type[Any]] = [RunFlags, *([CalibrationFlags] if command.makes_int8 else []), *command.stages]
    app.command(command.name, help=command.help)(flags.command(kinds, command.takes, command.run))


for _command in COMMANDS:
    _add(_command)
app.add_typer(zoo_app, name="zoo")


def main() -> NoReturn:
    """Entry point. A polite end (SIGTERM) cleans up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run_app(app)
