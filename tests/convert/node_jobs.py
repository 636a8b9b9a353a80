"""Jobs of the node tests. Each kind has a worker of its own: the lowering, LiteRT (no TensorFlow in it), onnx2tf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx_ir as ir
from node_cases import DATA, Array, difference, tensors

from verify.signature import Signature

BINDINGS = ("none", "integers", "all but the first")
"""Which inputs become constants, tried in this order: TFLite wants axes, shapes and the like to be known."""


@dataclass(frozen=True)
class Outcome:
    """What became of a case on one road."""

    result: str
    """``same``, ``different``, ``refused`` or ``failed``."""
    detail: str = ""
    constants: tuple[str, ...] = ()
    """Inputs that were bound as constants."""

    @property
    def may_improve(self) -> bool:
        """Whether binding more inputs as constants may help; it must not hide a wrong result."""
        return self.result in ("refused", "failed")


@dataclass(frozen=True)
class Compiled:
    """A case in TensorFlow, and its TFLite file or the reason why there is none."""

    tensorflow: Outcome
    litert: Outcome | None
    """Given where there is no file to run."""
    signature: Signature | None = None


def bound_inputs(model: ir.Model, given: Sequence[Array], binding: str) -> tuple[int, ...]:
    """Positions of the inputs that the binding makes constants; the first stays an input, or nothing would run."""
    if binding == "none":
        return ()
    every = range(1, len(given))
    return tuple(i for i in every if binding != "integers" or given[i].dtype.kind in "iub")


def lower_case(name: str, binding: str, tflite: Path) -> Compiled:
    """Through the exact lowering: compared in TensorFlow, and compiled to ``tflite``."""
    from convert.lowering.road import read_model
    from convert.lowering.saved_model import lower
    from convert.lowering.tflite_compiler import compile_saved_model
    from convert.rewrites import apply_all
    from verify.errors import UnsupportedOp

    constants: tuple[str, ...] = ()
    try:
        given, expected = tensors(name, "input"), tensors(name, "output")
        model = read_model(DATA / name / "model.onnx")
        constants, given = _bind(model, given, binding)
        apply_all(model)
        lowered = lower(model)
        outcome = _compare(lowered.signature, expected, _call(lowered, given), constants)
    except UnsupportedOp as error:
        outcome = Outcome("refused", error.what, constants)
        return Compiled(outcome, outcome)
    except Exception as error:
        outcome = Outcome("failed", f"{type(error).__name__}: {error}"[:600], constants)
        return Compiled(outcome, outcome)
    try:
        _compile(lowered, tflite, compile_saved_model)
    except UnsupportedOp as error:
        return Compiled(outcome, Outcome("refused", error.what, constants))
    except Exception as error:
        return Compiled(outcome, Outcome("failed", f"{type(error).__name__}: {error}"[:600], constants))
    return Compiled(outcome, None, lowered.signature)


def _compile(lowered: Any, tflite: Path, compile_saved_model: Any) -> None:
    import tempfile

    from convert.lowering.saved_model import save

    with tempfile.TemporaryDirectory() as folder:
        save(lowered, Path(folder))
        compile_saved_model(Path(folder), tflite)


def _bind(model: ir.Model, given: list[Array], binding: str) -> tuple[tuple[str, ...], list[Array]]:
    """Turn inputs into initializers; the names of those, and what is left to feed."""
    inputs = list(model.graph.inputs)
    chosen = bound_inputs(model, given, binding)
    for index in chosen:
        value = inputs[index]
        value.const_value = ir.tensor(given[index])
        model.graph.inputs.remove(value)
        model.graph.register_initializer(value)
    left = [array for index, array in enumerate(given) if index not in chosen]
    return tuple(str(inputs[index].name) for index in chosen), left


def _call(lowered: Any, given: list[Array]) -> dict[str, Array]:
    import tensorflow as tf

    specs = lowered.signature.inputs
    fed = [tf.constant(spec.from_torch(array)) for spec, array in zip(specs, given, strict=True)]
    return {name: tensor.numpy() for name, tensor in lowered.function(*fed).items()}


def _compare(
    signature: Signature, expected: list[Array], actual: dict[str, Array], constants: tuple[str, ...]
) -> Outcome:
    found = [
        text
        for spec, wanted in zip(signature.outputs, expected, strict=True)
        if (text := difference(wanted, spec.to_torch(actual[spec.name])))
    ]
    return Outcome("different" if found else "same", "; ".join(found), constants)


def run_litert(name: str, tflite: Path, signature: Signature, constants: tuple[str, ...]) -> Outcome:
    """The compiled file on the case's inputs, as a phone would run it."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        model_inputs = _input_names(name)
        given = dict(zip(model_inputs, tensors(name, "input"), strict=False))
        fed = {spec.name: spec.from_torch(given[spec.name]) for spec in signature.inputs}
        runner = Interpreter(str(tflite), num_threads=1).get_signature_runner("serving_default")
        return _compare(signature, tensors(name, "output"), runner(**fed), constants)
    except Exception as error:
        return Outcome("failed", f"{type(error).__name__}: {error}"[:600], constants)


def _input_names(name: str) -> list[str]:
    import onnx

    return [value.name for value in onnx.load(DATA / name / "model.onnx").graph.input]
