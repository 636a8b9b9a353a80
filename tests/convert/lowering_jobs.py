"""Jobs of the lowering's oracle: they run in a worker, so that pytest itself imports no TensorFlow."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from verify.artifact import Artifact, Format
from verify.signature import Signature

RELATIVE, ABSOLUTE = 1e-4, 2e-5
"""Several float32 ulps after a handful of operations; onnx's own backend tests allow 1e-3 and 1e-7."""


@dataclass(frozen=True)
class CaseOutcome:
    """What became of one of onnx's backend tests."""

    name: str
    result: str
    """``same``, ``refused``, ``different`` or ``failed``."""
    detail: str = ""


def lowerable_cases(data: Path, families: tuple[str, ...]) -> tuple[str, ...]:
    """The cases of those families whose every op has a lowering."""
    import onnx

    from convert.lowering.registry import known_ops

    known = set(known_ops())
    folders = [folder for folder in sorted(data.iterdir()) if folder.name.startswith(families)]
    plain = [folder for folder in folders if "_expanded" not in folder.name and (folder / "model.onnx").exists()]
    return tuple(
        folder.name
        for folder in plain
        if known >= {node.op_type for node in onnx.load(folder / "model.onnx").graph.node}
    )


def run_backend_cases(names: tuple[str, ...], data: Path) -> tuple[CaseOutcome, ...]:
    """Lower each case's model, run it on the case's inputs and compare with the case's outputs."""
    return tuple(_run_case(data / name) for name in names)


def _run_case(folder: Path) -> CaseOutcome:
    """As the case has it; if that is refused, with all inputs but the first as constants, as in real models."""
    outcome = _attempt(folder, inputs_kept=None)
    return _attempt(folder, inputs_kept=1) if outcome.result in ("refused", "failed") else outcome


def _attempt(folder: Path, inputs_kept: int | None) -> CaseOutcome:
    from convert.lowering.road import read_model
    from convert.lowering.saved_model import lower
    from verify.errors import UnsupportedOp

    try:
        model = read_model(folder / "model.onnx")
        given, expected = _tensors(folder, "input"), _tensors(folder, "output")
        _bind(model, given, inputs_kept)
        lowered = lower(model)
        actual = _call(lowered, given[:inputs_kept])
    except UnsupportedOp as error:
        return CaseOutcome(folder.name, "refused", error.what)
    except Exception as error:
        return CaseOutcome(folder.name, "failed", f"{type(error).__name__}: {error}")
    differences = [
        difference
        for spec, wanted in zip(lowered.signature.outputs, expected, strict=True)
        if (difference := _difference(wanted, spec.to_torch(actual[spec.name])))
    ]
    return CaseOutcome(folder.name, "different" if differences else "same", "; ".join(differences))


def _bind(model: ir.Model, given: list[np.ndarray], inputs_kept: int | None) -> None:
    """Turn the inputs after the first ``inputs_kept`` into initializers."""
    if inputs_kept is None:
        return
    for value, array in zip(list(model.graph.inputs)[inputs_kept:], given[inputs_kept:], strict=True):
        value.const_value = ir.tensor(array)
        model.graph.inputs.remove(value)
        model.graph.register_initializer(value)


def _tensors(folder: Path, kind: str) -> list[np.ndarray]:
    import onnx
    from onnx import numpy_helper

    files = sorted((folder / "test_data_set_0").glob(f"{kind}_*.pb"), key=lambda file: int(file.stem.split("_")[1]))
    tensors = []
    for file in files:
        tensor = onnx.TensorProto()
        tensor.ParseFromString(file.read_bytes())
        tensors.append(numpy_helper.to_array(tensor))
    return tensors


def _call(lowered, given: list[np.ndarray]) -> dict[str, np.ndarray]:
    import tensorflow as tf

    specs = lowered.signature.inputs
    tensors = [tf.constant(spec.from_torch(array)) for spec, array in zip(specs, given, strict=True)]
    return {name: tensor.numpy() for name, tensor in lowered.function(*tensors).items()}


def _difference(expected: np.ndarray, actual: np.ndarray) -> str:
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        return f"{actual.dtype}{actual.shape} for {expected.dtype}{expected.shape}"
    if expected.dtype.kind in "fc":
        same = np.allclose(actual, expected, RELATIVE, ABSOLUTE, equal_nan=True)
    else:
        same = np.array_equal(actual, expected)
    if same:
        return ""
    worst = np.max(np.abs(actual.astype(np.float64) - expected.astype(np.float64)))
    return f"max error {worst:.3g}"


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


def convert_and_compare(onnx_path: Path, folder: Path, stage: dict[str, Any]) -> ModelOutcome:
    """Run the stage, compile to TFLite, feed all three the same numbers."""
    import tensorflow as tf

    from convert.lowering.tflite_compiler import compile_saved_model
    from convert.stages.base import stage_from_json

    source = Artifact(onnx_path, Format.ONNX, Signature((), ()), "")
    result = stage_from_json(stage).call(source, folder / "saved_model")
    compile_saved_model(folder / "saved_model", folder / "model.tflite")
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    signature = result.artifact.signature
    ratios = [_compare(onnx_path, folder, loaded, signature, batch) for batch in (1, 2, 5)]
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


def _compare(onnx_path: Path, folder: Path, loaded: Any, signature: Signature, batch: int) -> tuple[float, float]:
    import onnxruntime
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    session = onnxruntime.InferenceSession(str(onnx_path), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(batch)
    feeds = {}
    for spec in signature.inputs:
        shape = [batch if isinstance(dim, str) else dim for dim in spec.torch_shape]
        feeds[spec.name] = random.standard_normal(shape).astype(spec.dtype)
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
