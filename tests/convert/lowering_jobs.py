"""Jobs of the lowering's oracle: they run in a worker, so that pytest itself imports no TensorFlow."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from verify.artifact import Artifact, Format
from verify.signature import Signature


@dataclass(frozen=True)
class ModelOutcome:
    """A model that went through the stage and the TFLite compiler, against onnxruntime at batch 1, 2 and 5."""

    saved_model_db: float
    tflite_db: float
    """Signal to quantization noise ratio, the worst of all batches and outputs."""
    tflite_ops: dict[str, int]
    variables: dict[str, tuple[int, ...]]
    trainable: int
    signature: Signature
    notes: tuple[str, ...]
    graph_bytes: int


def convert_and_compare(
    onnx_path: Path, folder: Path, stage: dict[str, Any], bounds: dict[str, int] | None = None
) -> ModelOutcome:
    """Run the stage, compile to TFLite, feed all three the same numbers.

    Floats are standard normal; integers are drawn from 0 to below the input's entry in ``bounds``, booleans from both.
    """
    import tensorflow as tf

    from convert.lowering.tflite_compiler import compile_saved_model
    from convert.stages.base import stage_from_json

    source = Artifact(onnx_path, Format.ONNX, Signature((), ()), "")
    result = stage_from_json(stage).call(source, folder / "saved_model")
    compile_saved_model(folder / "saved_model", folder / "model.tflite")
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    signature = result.artifact.signature
    feeds = [_feeds(signature, batch, bounds or {}) for batch in (1, 2, 5)]
    ratios = [_compare(onnx_path, folder, loaded, signature, feed) for feed in feeds]
    return ModelOutcome(
        min(ratio[0] for ratio in ratios),
        min(ratio[1] for ratio in ratios),
        _tflite_ops(folder / "model.tflite"),
        {variable.name.partition(":")[0]: tuple(variable.shape) for variable in loaded.variables},
        len(loaded.trainable_variables),
        signature,
        result.notes,
        (folder / "saved_model" / "saved_model.pb").stat().st_size,
    )


def _feeds(signature: Signature, batch: int, bounds: dict[str, int]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(batch)
    feeds = {}
    for spec in signature.inputs:
        shape = [batch if isinstance(dim, str) else dim for dim in spec.torch_shape]
        if spec.dtype.startswith("float"):
            feeds[spec.name] = random.standard_normal(shape).astype(spec.dtype)
        else:
            feeds[spec.name] = random.integers(0, bounds.get(spec.name, 2), shape).astype(spec.dtype)
    return feeds


def _compare(
    onnx_path: Path, folder: Path, loaded: Any, signature: Signature, feeds: dict[str, np.ndarray]
) -> tuple[float, float]:
    import onnxruntime
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    session = onnxruntime.InferenceSession(str(onnx_path), providers=["CPUExecutionProvider"])
    expected = session.run([spec.name for spec in signature.outputs], feeds)
    stored = {spec.name: spec.from_torch(feeds[spec.name]) for spec in signature.inputs}
    constants = {name: tf.constant(array) for name, array in stored.items()}
    by_tensorflow = loaded.signatures["serving_default"](**constants)
    by_litert = Interpreter(str(folder / "model.tflite")).get_signature_runner("serving_default")(**stored)
    pairs = [
        (array, spec.to_torch(by_tensorflow[spec.name].numpy()), spec.to_torch(by_litert[spec.name]))
        for array, spec in zip(expected, signature.outputs, strict=True)
    ]
    return min(_sqnr_db(array, a) for array, a, _ in pairs), min(_sqnr_db(array, b) for array, _, b in pairs)


def _sqnr_db(expected: np.ndarray, actual: np.ndarray) -> float:
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        raise AssertionError(f"{actual.dtype}{actual.shape} for {expected.dtype}{expected.shape}")
    noise = float(np.sum((expected.astype(np.float64) - actual) ** 2))
    signal = float(np.sum(expected.astype(np.float64) ** 2))
    return 300.0 if noise == 0 else 10 * float(np.log10(signal / noise))


def _tflite_ops(path: Path) -> dict[str, int]:
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    return dict(Counter(names[codes[op.opcodeIndex]] for graph in model.subgraphs for op in graph.operators))


@dataclass(frozen=True)
class SavedBothWays:
    """A model lowered only to be saved, and lowered to be called too."""

    data_files: tuple[int, int]
    same_variables: bool
    same_tflite: bool


def save_both_ways(onnx_path: Path, folder: Path) -> SavedBothWays:
    """Whether it makes a difference to what is saved that large weights never were in memory."""
    import tensorflow as tf

    from convert.lowering.road import read_model
    from convert.lowering.saved_model import lower, save
    from convert.lowering.tflite_compiler import compile_saved_model

    loaded, compiled = [], []
    for only_to_save in (True, False):
        made = folder / f"{only_to_save}"
        save(lower(read_model(onnx_path), only_to_save=only_to_save), made)
        loaded.append(tf.saved_model.load(str(made)).variables)
        compile_saved_model(made, folder / "net.tflite")
        compiled.append((folder / "net.tflite").read_bytes())
    same = [a.name == b.name and np.array_equal(a.numpy(), b.numpy()) for a, b in zip(*loaded, strict=True)]
    first, second = (len(list((folder / name / "variables").glob("*.data-*"))) for name in ("True", "False"))
    return SavedBothWays((first, second), all(same), compiled[0] == compiled[1])


def one_training_step(saved_model: Path) -> tuple[float, float]:
    """Load a SavedModel as a stranger would, take one step of gradient descent; the loss before and after."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(saved_model))
    serve = loaded.signatures["serving_default"]
    spec = serve.structured_input_signature[1]["image"]
    images = tf.random.stateless_normal([4, *spec.shape[1:]], seed=(1, 2))

    def loss() -> Any:
        return tf.reduce_mean(tf.square(serve(image=images)["logits"] - 1.0))

    with tf.GradientTape() as tape:
        before = loss()
    for variable, slope in zip(
        loaded.trainable_variables, tape.gradient(before, loaded.trainable_variables), strict=True
    ):
        variable.assign_sub(0.01 * slope)
    return float(before), float(loss())
