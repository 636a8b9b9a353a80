"""Which reader a file gets, in a worker of its own, so that a broken or hostile file cannot take the tool down."""

from __future__ import annotations

import struct
import tempfile
from dataclasses import replace
from pathlib import Path

from verify.errors import ModelUnreadable, ToolError, WorkerDied
from verify.inspection.summary import summarise
from verify.inspection.types import Inspection
from verify.worker import Limits, Worker

DEFAULT_LIMITS = Limits(timeout_s=120.0, memory_bytes=8 * 2**30)

_BROKEN = (
    struct.error,
    IndexError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
)
"""What readers raise when a file's numbers lead nowhere."""


def inspect_model(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> Inspection:
    """What a model file is made of; nothing of it is run, and no framework is imported here.

    ``path`` is a ``.tflite``, ``.onnx``, ``.pb``, ``.pth``, ``.pt``, ``.pt2`` or ``.safetensors`` file, or a SavedModel
    folder. Raises ``ModelUnreadable`` or ``CheckpointUnreadable`` for one that is broken, however it is.
    """
    if not path.exists():
        raise ModelUnreadable(f"there is no {path}", fix="check the path")
    with tempfile.TemporaryDirectory(prefix="inspect-") as folder:
        try:
            with Worker("inspect", log_path=Path(folder, "inspect.log"), limits=limits) as worker:
                return worker.run(read_model, path=path.absolute()).value
        except WorkerDied as error:
            raise ModelUnreadable(
                f"{path} cannot be read: {error.what}",
                fix="the file is damaged, or made so that reading it fails: make or copy it again",
            ) from error


def read_model(path: Path) -> Inspection:
    """Job: inspect a file by the reader of its format."""
    try:
        found = _read(path)
    except ToolError:
        raise
    except _BROKEN as error:
        raise ModelUnreadable(
            f"{path} is damaged: {type(error).__name__}: {str(error)[:200]}",
            fix="it was cut off or changed: make or copy it again",
        ) from error
    return replace(found, summary=summarise(found))


def _read(path: Path) -> Inspection:
    if (path / "saved_model.pb").is_file():
        from verify.inspection.tf_graph import inspect_saved_model

        return inspect_saved_model(path)
    if path.is_dir():
        raise ModelUnreadable(
            f"{path} is a folder without a saved_model.pb", fix="give a model file, or a SavedModel folder"
        )
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:8] == b"TFL3" or path.suffix == ".tflite":
        from verify.inspection.tflite import inspect_tflite

        return inspect_tflite(path)
    if path.suffix == ".onnx":
        from verify.inspection.onnx_file import inspect_onnx

        return inspect_onnx(path)
    if path.name == "saved_model.pb":
        from verify.inspection.tf_graph import inspect_saved_model

        return inspect_saved_model(path.parent)
    if path.suffix == ".pb":
        from verify.inspection.tf_graph import inspect_graph_def

        return inspect_graph_def(path)
    from verify.inspection.torch_file import inspect_torch

    return inspect_torch(path)
