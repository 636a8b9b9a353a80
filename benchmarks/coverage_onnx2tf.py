"""An ONNX file through onnx2tf's own default road, and its float32 file against onnxruntime and against ours.

Jobs for workers: one converts (TensorFlow), one judges (onnxruntime and LiteRT, where a foreign file may abort), each
with limits. Results are kept by the ONNX file's hash and onnx2tf's version, so that a long run goes on where it stood.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from coverage_rows import Beside
from coverage_types import Onnx2tf

from verify.atomic import write_text
from verify.errors import ToolError
from verify.jsonio import to_jsonable
from verify.metrics import error_sums
from verify.samples import InputSpec, RandomSamples
from verify.samples.load import load
from verify.worker import Limits, Worker

BATCHES = (1, 2, 5)
TIMEOUT_S = 600.0
LEAST_MEMORY_BYTES, MOST_MEMORY_BYTES, MEMORY_FOLD = 8 << 30, 18 << 30, 20
"""What onnx2tf may use: some for itself, and twenty times the ONNX file (AlexNet's 0.24 GB took 9.3)."""
JUDGING = Limits(timeout_s=240.0, memory_bytes=8 << 30, log_bytes=16 << 20)
_IMAGE_RANKS = (3, 4, 5)
_LONGEST = 160
_FOLDERS = re.compile(r"(?<![\w.])/(?:[\w.+-]+/)+")
"""A result names no folder of the machine it was made on."""


@dataclass(frozen=True)
class Converted:
    """What the converting job answers: ``error`` where onnx2tf or TensorFlow's compiler stopped."""

    seconds: float | None = None
    error: str = ""
    flex: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judged:
    """What the judging job answers."""

    sqnr_db: dict[str, float] = field(default_factory=dict)
    batch_errors: dict[str, str] = field(default_factory=dict)
    ops: int = 0
    transposes: int = 0
    flex: tuple[str, ...] = ()


@dataclass(frozen=True)
class Given:
    """Our ONNX file of a model, our float32 file, and what the model takes."""

    onnx: Path
    onnx_sha256: str
    inputs: tuple[InputSpec, ...]
    ours: Path
    ours_sha256: str


def beside(given: Given, output: Path, scratch: Path) -> None:
    """Convert, judge, compare, and keep the record; nothing happens where there is one of the same file and version."""
    path = Beside(output).onnx2tf(given.onnx_sha256)
    version = metadata.version("onnx2tf")
    if _is_there(path, version, given.ours_sha256):
        return
    result = measured(given, version, scratch)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"ours_sha256": given.ours_sha256, "result": to_jsonable(result)}, indent=1) + "\n")


def measured(given: Given, version: str, scratch: Path) -> Onnx2tf:
    """One model; whatever onnx2tf does to it ends here."""
    theirs, log = scratch / "onnx2tf_float32.tflite", scratch / "onnx2tf.log"
    result = Onnx2tf(version)
    try:
        with Worker("onnx2tf", log_path=log, limits=converting(given.onnx)) as worker:
            converted = worker.run(convert, onnx=given.onnx, out=theirs).value
        result = replace(result, seconds=converted.seconds, error=converted.error, flex=converted.flex)
        if converted.error:
            return result
        with Worker("judge", log_path=log, limits=JUDGING) as worker:
            judged = worker.run(judge, onnx=given.onnx, theirs=theirs, inputs=given.inputs).value
        result = replace(result, **{name: getattr(judged, name) for name in Judged.__dataclass_fields__})
        if "1" in judged.sqnr_db:
            with Worker("latency", log_path=log, limits=JUDGING) as worker:
                turns = worker.run(by_turns, ours=given.ours, theirs=theirs).value
            result = replace(result, ours_ms=turns["ours_ms"], theirs_ms=turns["theirs_ms"], ratio=turns["ratio"])
    except ToolError as error:
        result = replace(result, error=short(error.what))
    return result


def converting(onnx: Path) -> Limits:
    """What the converting job may use."""
    memory_bytes = min(MOST_MEMORY_BYTES, LEAST_MEMORY_BYTES + MEMORY_FOLD * onnx.stat().st_size)
    return Limits(TIMEOUT_S, memory_bytes, log_bytes=64 << 20)


def convert(onnx: Path, out: Path) -> Converted:
    """Job: onnx2tf's default conversion, its saving left out, then TensorFlow's compiler."""
    from onnx2tf_float32 import compile_model, convert_to_keras

    from verify.errors import UnsupportedOp

    try:
        model, seconds = convert_to_keras(onnx, out.parent)
    except (Exception, SystemExit) as error:  # onnx2tf raises anything, and exits
        return Converted(error=short(f"{type(error).__name__}: {error}"))
    try:
        compile_model(model, out)
    except UnsupportedOp as error:
        ops = error.what.partition(": ")[2].partition(";")[0]
        return Converted(seconds, short(f"needs Flex ops: {ops}"), tuple(op.split()[0] for op in ops.split(", ")))
    except Exception as error:  # Keras, the tracer or the compiler
        return Converted(seconds, short(f"{type(error).__name__}: {error}"))
    return Converted(seconds)


def judge(onnx: Path, theirs: Path, inputs: tuple[InputSpec, ...]) -> Judged:
    """Job: ops of their file, and its outputs against onnxruntime's at batch 1, 2 and 5 on seeded random inputs."""
    import onnxruntime
    from ai_edge_litert.interpreter import Interpreter

    from verify.runners.tflite_inspect import op_counts

    counts = op_counts(theirs)
    judged = Judged(
        ops=sum(count for _, count in counts),
        transposes=dict(counts).get("TRANSPOSE", 0),
        flex=tuple(name for name, _ in counts if name.startswith("Flex")),
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
    samples = list(itertools.islice(load(RandomSamples(0), inputs), max(BATCHES)))
    for size in BATCHES:
        feed = {spec.name: np.concatenate([sample[spec.name] for sample in samples[:size]]) for spec in inputs}
        feed = {value.name: feed[value.name] for value in session.get_inputs()}
        expected = session.run(None, feed)
        try:
            actual = infer(Interpreter(str(theirs), num_threads=1), feed)
        except (RuntimeError, ValueError) as error:
            judged.batch_errors[str(size)] = short(str(error))
        else:
            judged.sqnr_db[str(size)] = most_favourable_db(expected, actual)
    return judged


def by_turns(ours: Path, theirs: Path) -> dict[str, float]:
    """Job: the two files against each other, batch 1, one thread."""
    from latency import compare

    return compare(str(ours), str(theirs), 1, least_turns=10)


def infer(interpreter: Any, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Their outputs for inputs in PyTorch's layout; images and sequences go in channels-last, as onnx2tf has them."""
    details = {_plain(detail["name"]): detail for detail in interpreter.get_input_details()}
    by_order = [detail for _, detail in sorted(details.items())]
    arrays = {}
    for place, (name, array) in enumerate(feed.items()):
        detail = details.get(_plain(name), by_order[place])
        fed = as_taken(array, detail["shape_signature"])
        interpreter.resize_tensor_input(detail["index"], fed.shape)
        arrays[detail["index"]] = fed.astype(detail["dtype"])
    interpreter.allocate_tensors()
    for index, array in arrays.items():
        interpreter.set_tensor(index, array)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def as_taken(array: np.ndarray, dims: Sequence[int]) -> np.ndarray:
    """An input in PyTorch's layout as onnx2tf's file takes it: channels-last, where the file's dims allow it."""
    if array.ndim not in _IMAGE_RANKS:
        return array
    moved = np.moveaxis(array, 1, -1)
    fits = all(dim in {-1, size} for dim, size in zip(dims[1:], moved.shape[1:], strict=True))
    return moved if fits else array


def most_favourable_db(expected: Sequence[np.ndarray], actual: Sequence[np.ndarray]) -> float:
    """SQNR of the worst output: onnx2tf declares no layout, so every order of axes that fits may be the right one.

    Outputs are matched by the best that any of theirs gives. Identical is 300 dB, nothing that fits -300.
    """
    return min(max((_best_db(want, have) for have in actual), default=-300.0) for want in expected)


def _best_db(want: np.ndarray, have: np.ndarray) -> float:
    if have.size != want.size:
        return -300.0
    return max((_db(want, view) for view in _views(want, have)), default=-300.0)


def _views(want: np.ndarray, have: np.ndarray) -> Iterator[np.ndarray]:
    if have.ndim != want.ndim:
        yield have.reshape(want.shape)
        return
    for axes in itertools.permutations(range(have.ndim)):
        if tuple(have.shape[axis] for axis in axes) == want.shape:
            yield have.transpose(axes)


def _db(want: np.ndarray, have: np.ndarray) -> float:
    sums = error_sums(want, np.ascontiguousarray(have))
    if sums.error_energy == 0:
        return 300.0
    decibels = sums.sqnr_db
    return decibels if decibels is not None and math.isfinite(decibels) else -300.0


def _plain(name: str) -> str:
    return name.removeprefix("serving_default_").partition(":")[0]


def _is_there(path: Path, version: str, ours_sha256: str) -> bool:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    result = record["result"]
    compared = result["ratio"] is None or record["ours_sha256"] == ours_sha256
    return bool(result["version"] == version and compared)


def short(text: str) -> str:
    """A message in one line of a table, without folders of this machine."""
    line = _FOLDERS.sub("", " ".join(text.split()))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
