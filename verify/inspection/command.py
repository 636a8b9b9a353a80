"""``verify inspect``: parses and prints. Importing this imports no framework."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from verify.console import print_error, progress_console, result_console
from verify.errors import ExitCode, InputError, ToolError

if TYPE_CHECKING:
    from verify.inspection.types import Inspection


def inspect(
    models: Annotated[
        list[Path],
        typer.Argument(
            help=".tflite, .onnx, .pb, .pth, .pt2 or .safetensors files, or SavedModel folders.",
            metavar="MODEL",
            show_default=False,
        ),
    ],
    everything: Annotated[bool, typer.Option("--all", help="Show long lists whole.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything on stdout as JSON: an object, or a list for several files.")
    ] = False,
    opened: Annotated[
        bool,
        typer.Option(
            "--open", help="Then show the model in Model Explorer or Netron, whichever is installed, until Ctrl-C."
        ),
    ] = False,
    viewer: Annotated[
        str | None, typer.Option("--viewer", metavar="model-explorer|netron", help="As --open, with this one.")
    ] = None,
) -> None:
    """Say what model files are made of, without running them.

    Signature, ops, parameters, multiply-accumulates, size by layer, quantization of every tensor; and which ops would
    leave the GPU, NNAPI, NPU, Edge TPU and Micro runtimes, by their published lists.
    """
    from verify.inspection.opening import inspect_model
    from verify.inspection.terminal import render_inspection
    from verify.viewers.command import open_model, viewers_asked_for

    if len(models) > 1 and (opened or viewer is not None):
        raise InputError("--open shows one model, and several are named", fix="name one of them")
    viewers = viewers_asked_for(opened, viewer)
    found: list[Inspection] = []
    worst = ExitCode.PASS
    for model in models:
        try:
            with progress_console().status(f"reading {model.name}"):
                found.append(inspect_model(model))
        except ToolError as error:
            if len(models) == 1:
                raise
            print_error(error)
            worst = max(worst, error.exit_code)
            continue
        if not as_json:
            if len(found) > 1:
                result_console().print()
            render_inspection(found[-1], result_console(), everything=everything)
    if as_json:
        _print_json(found, several=len(models) > 1)
    if viewers:
        open_model(models[0], viewers)
    raise typer.Exit(int(worst))


def _print_json(found: list[Inspection], *, several: bool) -> None:
    from verify.inspection.json import INSPECTION

    texts = [INSPECTION.render(one).rstrip() for one in found]
    text = "[\n" + ",\n".join(texts) + "\n]" if several else texts[0]
    result_console().print(text, markup=False, soft_wrap=True)
