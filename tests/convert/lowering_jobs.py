"""Jobs of the lowering's oracle: they run in a worker, so that pytest itself imports no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir

RELATIVE, ABSOLUTE = 1e-4, 2e-5
"""Several float32 ulps after a handful of operations; onnx's own backend tests allow 1e-3 and 1e-7."""


@dataclass(frozen=True)
class CaseOutcome:
    """What became of one of onnx's backend tests."""

    name: str
    result: str
    """``same``, ``refused``, ``different`` or ``failed``."""
    detail: str = ""


def run_backend_cases(names: tuple[str, ...], data: Path) -> tuple[CaseOutcome, ...]:
    """Lower each case's model, run it on the case's inputs and compare with the case's outputs."""
    return tuple(_run_case(data / name) for name in names)


def _run_case(folder: Path) -> CaseOutcome:
    """As the case has it; and if that is refused, with all inputs but the first as constants, as real models have them."""
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
