"""Jobs of the adversarial graphs and of the fuzzer; they run in a worker, so that pytest imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from verify.signature import Signature

BATCHES = (1, 2, 5)


@dataclass(frozen=True)
class CaseRatios:
    """How well the SavedModel and LiteRT agree with onnxruntime, the worst of all outputs and batches."""

    saved_model_db: float
    tflite_db: float


def convert_cases(onnx_path: Path, folder: Path) -> dict[str, CaseRatios]:
    """One conversion of all cases; a case's outputs are named after it."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter
    from lowering_jobs import _sqnr_db

    from convert.lowering.tflite_compiler import compile_saved_model
    from convert.stages.lower import OnnxToSavedModel
    from verify.artifact import Artifact, Format

    source = Artifact(onnx_path, Format.ONNX, Signature((), ()), "")
    signature = OnnxToSavedModel(lowering="exact").call(source, folder / "saved_model").artifact.signature
    compile_saved_model(folder / "saved_model", folder / "model.tflite")
    serve = tf.saved_model.load(str(folder / "saved_model")).signatures["serving_default"]
    litert = Interpreter(str(folder / "model.tflite")).get_signature_runner("serving_default")
    ratios: dict[str, list[tuple[float, float]]] = {}
    for feeds, expected in _runs(onnx.load(onnx_path)):
        stored = {spec.name: spec.from_torch(feeds[spec.name]) for spec in signature.inputs}
        by_tensorflow = serve(**{name: tf.constant(array) for name, array in stored.items()})
        by_litert = litert(**stored)
        for spec in signature.outputs:
            actual = [spec.to_torch(array) for array in (by_tensorflow[spec.name].numpy(), by_litert[spec.name])]
            pair = _sqnr_db(expected[spec.name], actual[0]), _sqnr_db(expected[spec.name], actual[1])
            ratios.setdefault(spec.name.partition("__")[0], []).append(pair)
    return {name: CaseRatios(min(a for a, _ in pairs), min(b for _, b in pairs)) for name, pairs in ratios.items()}


def refusal_of(onnx_path: Path, folder: Path) -> str:
    """What the exact lowering says of a graph that it refuses; empty if it does not."""
    from convert.stages.lower import OnnxToSavedModel
    from verify.artifact import Artifact, Format
    from verify.errors import UnsupportedOp

    try:
        OnnxToSavedModel(lowering="exact").call(Artifact(onnx_path, Format.ONNX, Signature((), ()), ""), folder)
    except UnsupportedOp as error:
        return error.what
    return ""


def fuzz(count: int, folder: Path) -> dict[str, list[str]]:
    """What became of that many random graphs: ``same``, ``refused``, ``wrong`` or ``unjudged``, with seed and why."""
    outcomes: dict[str, list[str]] = {"same": [], "refused": [], "wrong": [], "unjudged": []}
    for seed in range(count):
        kind, why = _fuzz_one(seed, folder)
        outcomes[kind].append(f"{seed}: {why}")
    return outcomes


def _fuzz_one(seed: int, folder: Path) -> tuple[str, str]:
    import tensorflow as tf
    from fuzz_graphs import random_model

    from convert.lowering.road import read_model
    from convert.lowering.saved_model import lower
    from convert.rewrites import apply_all
    from verify.errors import UnsupportedOp

    proto = random_model(seed)
    onnx.save(proto, folder / "fuzz.onnx")
    try:
        runs = list(_runs(proto))
    except Exception as error:  # onnxruntime has limits of its own
        return "unjudged", str(error)[:300]
    try:
        model = read_model(folder / "fuzz.onnx")
        apply_all(model)
        lowered = lower(model)
        for feeds, expected in runs:
            stored = [tf.constant(spec.from_torch(feeds[spec.name])) for spec in lowered.signature.inputs]
            actual = lowered.function(*stored)
            for spec in lowered.signature.outputs:
                difference = _difference(expected[spec.name], spec.to_torch(actual[spec.name].numpy()))
                if difference:
                    return "wrong", f"{spec.name}: {difference}"
    except UnsupportedOp as error:
        return "refused", error.what
    except Exception as error:
        return "wrong", f"{type(error).__name__}: {str(error)[:300]}"
    return "same", ""


def _difference(expected: np.ndarray, actual: np.ndarray) -> str:
    """A wrong axis or a wrong element is off by as much as the numbers are large; rounding is not."""
    if expected.shape != actual.shape:
        return f"{actual.shape} for {expected.shape}"
    if not expected.size:
        return ""
    worst, scale = float(np.abs(expected - actual).max()), max(1.0, float(np.abs(expected).max()))
    return "" if worst <= 1e-4 * scale else f"off by {worst:.3g} of {scale:.3g}"


def _runs(model: onnx.ModelProto) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Seeded random inputs and onnxruntime's outputs by name, unoptimised, at each batch size."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_outputs()]
    for batch in BATCHES:
        random = np.random.default_rng(batch)
        feeds = {
            entry.name: random.standard_normal([batch if isinstance(s, str) else s for s in entry.shape], np.float32)
            for entry in session.get_inputs()
        }
        yield feeds, dict(zip(names, session.run(names, feeds), strict=True))
