"""Ways to an int8 file: TensorFlow's converter, ai-edge-quantizer as it comes, and ours."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from int8_macs import int8_mac_share
from int8_nets import ROOT, Prepared
from int8_types import MOST_DROP, Column, Search

from quantize.budget.goal import Budget
from quantize.calibration.method_names import RangesOption
from quantize.command import Request, Target, quantize_file
from verify.errors import ToolError
from verify.runners.tflite_inspect import float_op_counts
from verify.signature import Signature
from verify.worker import Worker

BY_HAND = ROOT / "tests" / "quantize" / "by_hand.py"
LAST_WORDS = 300


def make(engine: str, net: Prepared, out: Path, log: Path) -> Column:
    """The engine's file at ``out``, all on the same samples, and the seconds its whole process took; or why not."""
    out.unlink(missing_ok=True)
    started = time.perf_counter()
    try:
        {"tensorflow": _tensorflow, "library": _library, "ours": _ours, "budget": _budget}[engine](net, out, log)
    except (ToolError, subprocess.CalledProcessError) as error:
        return Column(engine, failed=_words(error))
    seconds = time.perf_counter() - started
    floats = tuple(f"{op} {count}" for op, count in float_op_counts(out))
    return Column(
        engine,
        seconds=seconds,
        size_bytes=out.stat().st_size,
        float_ops=floats,
        int8_macs=int8_mac_share(out),
    )


def _words(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = [line for line in str(error.stderr).splitlines() if line.strip()]
        return (lines[-1] if lines else str(error))[:LAST_WORDS]
    return str(error).splitlines()[0][:LAST_WORDS]


def _tensorflow(net: Prepared, out: Path, log: Path) -> None:
    with Worker("tensorflow", log_path=log) as worker:
        worker.run(
            full_integer,
            saved_model=net.saved_model,
            calibration=net.calibration,
            signature=net.signature,
            out=out,
        )


def full_integer(saved_model: Path, calibration: Path, signature: Signature, out: Path) -> Path:
    """As onnx2tf 1.29.24 makes ``*_full_integer_quant.tflite`` from its own SavedModel (``onnx2tf.py``, "Full Integer
    Quantization"): its converter's settings, one sample a step. SavedModel and samples are ours.
    """
    import tensorflow as tf

    def representative() -> Iterator[dict[str, object]]:
        for row in stored_rows(calibration, signature):
            yield {name: tf.convert_to_tensor(array) for name, array in row.items()}

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.SELECT_TF_OPS]
    converter._experimental_disable_per_channel = False
    converter.unfold_batchmatmul = False
    converter.representative_dataset = representative
    converter.inference_input_type = converter.inference_output_type = tf.int8
    out.write_bytes(converter.convert())
    return out


def stored_rows(samples: Path, signature: Signature) -> Iterator[dict[str, np.ndarray]]:
    """Each sample with a batch axis of 1, as the float files take it."""
    with np.load(samples) as archive:
        arrays = {spec.name: archive[spec.name] for spec in signature.inputs}
    for row in range(len(next(iter(arrays.values())))):
        yield {spec.name: spec.from_torch(arrays[spec.name][row : row + 1]) for spec in signature.inputs}


def _library(net: Prepared, out: Path, log: Path) -> None:
    rows = list(stored_rows(net.calibration, net.signature))
    stored = log.with_suffix(".npz")
    np.savez(stored, **{name: np.concatenate([row[name] for row in rows]) for name in rows[0]})
    command = [sys.executable, str(BY_HAND), str(log.parent), str(len(rows)), f"{net.float32}:{stored}"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    stored.unlink()
    (log.parent / net.float32.name).replace(out)


def _ours(net: Prepared, out: Path, log: Path) -> None:  # noqa: ARG001 - the command keeps a log of its own
    quantize_ours(net, out)


def _budget(net: Prepared, out: Path, log: Path) -> None:  # noqa: ARG001 - the command keeps a log of its own
    """Judged by other samples than the table is; the closest file where none keeps the budget."""
    request = Request(net.float32, Target.INT8, out, calibration=str(net.calibration), evaluation=str(net.search))
    quantize_file(replace(request, budget=Budget(max_drop=MOST_DROP), even_if_missed=True))


def search(net: Prepared, out: Path, asked_db: float) -> Search:
    """Have a budget kept that calls for lifting ops; the seconds of the whole command."""
    request = Request(net.float32, Target.INT8, out, calibration=str(net.calibration), evaluation=str(net.search))
    started = time.perf_counter()
    made = quantize_file(replace(request, budget=Budget(min_sqnr_db=asked_db), even_if_missed=True))
    assert made.result.budget is not None
    return Search(asked_db, time.perf_counter() - started, made.result.budget.standing.value)


def quantize_ours(net: Prepared, out: Path, *, ranges: str = "auto", corrections: str = "auto") -> None:
    """What ``quantize`` makes of the float file with the same samples as the others get."""
    request = Request(net.float32, Target.INT8, out, calibration=str(net.calibration))
    quantize_file(replace(request, ranges=RangesOption(ranges), corrections=corrections))
