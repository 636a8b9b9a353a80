"""``verify inspect``: parses and prints. Importing this imports no framework."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from verify.console import progress_console, result_console


def inspect(
    model: Annotated[
        Path,
        typer.Argument(
            help="A .tflite, .onnx, .pb, .pth, .pt2 or .safetensors file, or a SavedModel folder.",
            metavar="MODEL",
            show_default=False,
        ),
    ],
    everything: Annotated[bool, typer.Option("--all", help="Show long lists whole.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything on stdout as JSON.")] = False,
) -> None:
    """Say what a model file is made of, without running it.

    Signature, ops, parameters, multiply-accumulates, size by layer, quantization of every tensor; and which ops would
    leave the GPU, NNAPI, NPU, Edge TPU and Micro runtimes, by their published lists.
    """
    from verify.inspection.json import INSPECTION
    from verify.inspection.opening import inspect_model
    from verify.inspection.terminal import render_inspection

    with progress_console().status(f"reading {model.name}"):
        found = inspect_model(model)
    if as_json:
        result_console().print(INSPECTION.render(found), markup=False, soft_wrap=True, end="")
        return
    render_inspection(found, result_console(), everything=everything)
