"""onnx2tf called as a library, and held: its exits, its environment and its network access stay in here."""

from __future__ import annotations

import os
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from convert.lowering.onnx2tf_probe import Probe
from verify.errors import LoweringFailed, ToolError, UnsupportedOp
from verify.signature import Signature

_HANDLERS = "onnx2tf.ops."


def convert_to_keras(onnx_copy: Path, folder: Path, probe: Probe, signature: Signature) -> Any:
    """onnx2tf's Keras model of a file that it may overwrite; ``folder`` takes what it leaves behind.

    Raises ``UnsupportedOp`` or ``LoweringFailed`` where onnx2tf raises or exits. Two of its steps are left out:
    onnxsim, since the file has been rewritten and its shapes inferred already, and three runs in subprocesses are 13 of
    AlexNet's 19 seconds; and naming the nodes, which have unique names.
    """
    with _held():
        import onnx2tf
        from onnx2tf import onnx2tf as implementation

        implementation.download_test_image_data = _no_download
        try:
            return onnx2tf.convert(
                input_onnx_file_path=str(onnx_copy),
                output_folder_path=str(folder / "unused"),
                custom_input_op_name_np_data_path=_write(probe, signature, folder),
                keep_shape_absolutely_input_names=[
                    spec.name for spec in signature.inputs if probe.permutation(spec) is None
                ],
                not_use_onnxsim=True,
                not_use_opname_auto_generate=True,
                disable_model_save=True,
                non_verbose=True,
                verbosity="error",
            )
        except (Exception, SystemExit) as error:  # onnx2tf exits on what it cannot convert, and raises anything
            raise _typed(error) from error


def _typed(error: BaseException) -> ToolError:
    fix = "use the exact lowering (--lowering exact); the log file has onnx2tf's own words"
    if isinstance(error, ModuleNotFoundError) and (error.name or "").startswith(_HANDLERS):
        return UnsupportedOp(f"onnx2tf does not know the op {(error.name or '').removeprefix(_HANDLERS)}", fix=fix)
    return LoweringFailed(f"onnx2tf could not convert the model: {type(error).__name__}: {str(error)[:300]}", fix=fix)


def _write(probe: Probe, signature: Signature, folder: Path) -> list[list[str]]:
    """The probe as onnx2tf reads it: ``[[input name, .npy file in TensorFlow's layout], …]``."""
    entries = []
    for index, spec in enumerate(signature.inputs):
        path = folder / f"probe_{index}.npy"
        np.save(path, probe.fed(spec))
        entries.append([spec.name, str(path)])
    return entries


def _no_download() -> Any:
    """In place of the sample images that onnx2tf fetches for any image input with a static batch."""
    return np.random.default_rng(0).random((20, 128, 128, 3)).astype(np.float32)


@contextmanager
def _held() -> Iterator[None]:
    """Put back what onnx2tf changes: environment, seeds, warning filters, recursion limit."""
    environment, recursion_limit = dict(os.environ), sys.getrecursionlimit()
    python_seed, numpy_seed = random.getstate(), np.random.get_state()  # noqa: NPY002 - it seeds the global one
    try:
        with warnings.catch_warnings():
            yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        sys.setrecursionlimit(recursion_limit)
        random.setstate(python_seed)
        np.random.set_state(numpy_seed)  # noqa: NPY002
