"""A file counts as made once LiteRT has run it at several batch sizes, with its default delegate and without.

Some quantized files are written without a warning and then abort the process that opens them, so this runs in a
:mod:`verify.worker`, where that is a ``WorkerDied``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from verify.errors import ModelUnreadable, QuantizationFailed
from verify.runners.base import Array, Batch
from verify.runners.tflite_file import tflite_signature
from verify.runners.tflite_runner import TfliteRunner
from verify.signature import BATCH, Signature, TensorSpec

BATCH_SIZES = (1, 2, 5)
_UNKNOWN_DIM = 32
"""Size tried for a dynamic axis other than the batch."""


def require_loadable(path: Path) -> tuple[str, ...]:
    """Run the file at batch 1, 2 and 5, or at its own fixed size; raises ``QuantizationFailed`` in LiteRT's words.

    It has to run as LiteRT runs it by default. If it does not without the default delegate, whose kernels take what
    LiteRT's own may not (more axes, say), that is the note that is given back.
    """
    signature = tflite_signature(path, {})
    try:
        _run(path, signature, default_delegate=True)
    except ModelUnreadable as error:
        raise QuantizationFailed(
            f"{path.name} was made, but does not run: {error.what}",
            fix="report the model; the float32 file is not affected",
        ) from error
    try:
        _run(path, signature, default_delegate=False)
    except ModelUnreadable as error:
        return (f"runs with LiteRT's default delegate only; without it: {error.what}",)
    return ()


def _run(path: Path, signature: Signature, *, default_delegate: bool) -> None:
    sizes = BATCH_SIZES if any(BATCH in spec.shape for spec in signature.inputs) else (1,)
    with TfliteRunner(path, signature, default_delegate=default_delegate) as runner:
        given = {batch: runner.infer(_inputs(signature, batch)) for batch in sizes}
    for batch, outputs in given.items():
        _require_sound(path, signature, outputs, batch, given[1])


def _inputs(signature: Signature, batch: int) -> Batch:
    random = np.random.default_rng(0)
    return {spec.name: _filled(spec, batch, random) for spec in signature.inputs}


def _filled(spec: TensorSpec, batch: int, random: np.random.Generator) -> Array:
    shape = tuple(batch if dim == BATCH else _UNKNOWN_DIM if isinstance(dim, str) else dim for dim in spec.shape)
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    if spec.quantization is None:
        return np.zeros(shape, dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def _require_sound(path: Path, signature: Signature, outputs: Batch, batch: int, of_one: Batch) -> None:
    """An output may have more rows than the batch (a SPACE_TO_BATCH gives four a sample), but so many times more."""
    for spec in signature.outputs:
        found = outputs[spec.name]
        if spec.shape and spec.shape[0] == BATCH and found.shape[0] != batch * of_one[spec.name].shape[0]:
            raise QuantizationFailed(
                f"{path.name} gives {spec.name!r} with {found.shape[0]} rows for a batch of {batch}",
                fix="report the model: its batch axis was lost",
            )
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            raise QuantizationFailed(
                f"{path.name} gives NaN or infinity in {spec.name!r} for standard normal input",
                fix="check the float32 file on the same input",
            )
