"""Jobs of the transformers' oracle: exported in a torch worker, lowered and run in a TensorFlow worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import lowering_jobs
import numpy as np

from verify.artifact import Artifact, Format
from verify.signature import Signature

BATCHES = (1, 2, 5)


@dataclass(frozen=True)
class Subject:
    """A class of ``tests/subjects/transformers.py``, and whether the samples keep one row masked throughout."""

    kind: str
    masked_row: bool = False


@dataclass(frozen=True)
class Outcome:
    """The worst of all outputs and batches, in dB."""

    onnx_db: float
    saved_model_db: float
    tflite_db: float
    tflite_ops: dict[str, int]
    has_nan: bool
    outputs: tuple[str, ...]


def export(kind: str, folder: Path, masked_row: bool = False) -> str:
    """Write ``net.onnx`` and, for each batch, inputs and torch's outputs; returns the exporter that wrote it."""
    import torch
    from subjects import transformers

    from convert.export.examples import example_inputs
    from convert.export.ladder import export_module
    from verify.model import ModelDescription

    torch.manual_seed(0)
    net = getattr(transformers, kind)().eval()
    description = ModelDescription(kind, "the test", net.inputs, (), 0, 0)
    outcome = export_module(net, description, folder / "net.onnx", 20, "auto")
    for batch in BATCHES:
        inputs = list(example_inputs(net.inputs, batch=batch, seed=batch))
        if masked_row:
            mask = next(index for index, spec in enumerate(net.inputs) if "mask" in spec.name)
            inputs[mask][0] = 0
        with torch.no_grad():
            outputs = torch.utils._pytree.tree_leaves(net(*inputs))
        named = {spec.name: array.numpy() for spec, array in zip(net.inputs, inputs, strict=True)}
        expected = {f"output{index}": array.numpy() for index, array in enumerate(outputs)}
        np.savez(folder / f"{batch}.npz", **named, **expected)
    return outcome.exporter


def lower_and_compare(folder: Path) -> Outcome:
    """Lower ``net.onnx`` exactly and compare all three with torch, ours with onnxruntime, at every batch."""
    import onnxruntime
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    from convert.lowering.tflite_compiler import compile_saved_model
    from convert.stages.lower import OnnxToSavedModel

    source = Artifact(folder / "net.onnx", Format.ONNX, Signature((), ()), "")
    signature = OnnxToSavedModel(lowering="exact").call(source, folder / "saved_model").artifact.signature
    compile_saved_model(folder / "saved_model", folder / "net.tflite")
    session = onnxruntime.InferenceSession(str(folder / "net.onnx"), providers=["CPUExecutionProvider"])
    loaded = tf.saved_model.load(str(folder / "saved_model")).signatures["serving_default"]
    litert = Interpreter(str(folder / "net.tflite")).get_signature_runner("serving_default")
    worst = {"onnx": 300.0, "saved_model": 300.0, "tflite": 300.0}
    has_nan = False
    for batch in BATCHES:
        data = np.load(folder / f"{batch}.npz")
        feeds = {spec.name: data[spec.name] for spec in signature.inputs}
        stored = {
            spec.name: spec.from_torch(array) for spec, array in zip(signature.inputs, feeds.values(), strict=True)
        }
        exact = session.run(None, feeds)
        by_tensorflow = loaded(**{name: tf.constant(array) for name, array in stored.items()})
        by_litert = litert(**stored)
        for index, spec in enumerate(signature.outputs):
            expected = data[f"output{index}"]
            has_nan |= bool(np.isnan(expected).any())
            for name, actual, reference in (
                ("onnx", exact[index], expected),
                ("saved_model", spec.to_torch(by_tensorflow[spec.name].numpy()), exact[index]),
                ("tflite", spec.to_torch(by_litert[spec.name]), exact[index]),
            ):
                worst[name] = min(worst[name], _db(reference, actual))
    return Outcome(
        worst["onnx"],
        worst["saved_model"],
        worst["tflite"],
        lowering_jobs._tflite_ops(folder / "net.tflite"),
        has_nan,
        tuple(spec.name for spec in signature.outputs),
    )


def _db(expected: np.ndarray, actual: np.ndarray) -> float:
    """NaN has to be where it is expected, and only there."""
    if expected.dtype.kind == "f" and actual.shape == expected.shape:
        if not np.array_equal(np.isnan(expected), np.isnan(actual)):
            return -300.0
        expected, actual = np.nan_to_num(expected, nan=0.0), np.nan_to_num(actual, nan=0.0)
    return lowering_jobs._sqnr_db(expected, actual)
