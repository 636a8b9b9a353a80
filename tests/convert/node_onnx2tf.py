"""onnx2tf on node tests, as favourably as it can be had: no model saving, the test's own inputs as its probe."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from pathlib import Path
from typing import Any, Self

import onnx
import onnx_ir as ir
from node_cases import DATA, Array, difference, tensors
from node_jobs import Outcome
from node_runner import RestartingWorker

from verify.errors import InfrastructureError, UnsupportedOp

_SECONDS_A_CASE = 60.0


class Onnx2tfRoad(contextlib.AbstractContextManager["Onnx2tfRoad"]):
    """onnx2tf in a worker that may die, and its file in LiteRT."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "onnx2tf.tflite"
        self._converting = RestartingWorker("onnx2tf", folder, ("tensorflow", "onnx2tf"), _SECONDS_A_CASE)
        self._litert = RestartingWorker("onnx2tf_litert", folder, ("ai_edge_litert.interpreter",))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._converting.close()
        self._litert.close()

    def run(self, name: str, constants: tuple[str, ...]) -> Outcome:
        """The case's outcome with those inputs bound as constants; where that fails, with all but the first bound."""
        outcome = self._attempt(name, constants)
        every = input_names(name)[1:]
        if not outcome.may_improve or set(every) <= set(constants):
            return outcome
        second = self._attempt(name, every)
        return outcome if second.may_improve else second

    def _attempt(self, name: str, constants: tuple[str, ...]) -> Outcome:
        try:
            failed = self._converting.run(convert_case, name=name, constants=constants, tflite=self._file)
            if failed is not None:
                return failed  # type: ignore[no-any-return]
            outcome: Outcome = self._litert.run(run_case, name=name, constants=constants, tflite=self._file)
        except InfrastructureError as error:
            return Outcome("failed", f"crash: {error.what}", constants)
        return outcome


def input_names(name: str) -> tuple[str, ...]:
    """The names of the case's inputs, in order."""
    return tuple(value.name for value in onnx.load(DATA / name / "model.onnx").graph.input)


def convert_case(name: str, constants: tuple[str, ...], tflite: Path) -> Outcome | None:
    """Compile what onnx2tf makes of the case to ``tflite``; an outcome where that fails."""
    from convert.lowering.interface import declare
    from convert.lowering.onnx2tf_library import convert_to_keras
    from convert.lowering.onnx2tf_probe import Probe
    from convert.lowering.road import read_model

    try:
        model = read_model(DATA / name / "model.onnx")
        arrays = _bind(model, name, constants)
        signature = declare(model, {})
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "model.onnx"
            ir.save(model, copy)
            keras_model = convert_to_keras(copy, Path(folder), Probe(arrays), signature)
            _compile(keras_model, Path(folder), tflite)
    except UnsupportedOp as error:
        return Outcome("refused", error.what, constants)
    except Exception as error:
        return Outcome("failed", f"{type(error).__name__}: {error}"[:600], constants)
    return None


def _bind(model: ir.Model, name: str, constants: tuple[str, ...]) -> dict[str, Array]:
    """Turn the inputs of those names into initializers; what is left to feed."""
    left = {}
    for value, array in zip(list(model.graph.inputs), tensors(name, "input"), strict=False):
        if value.name in constants:
            value.const_value = ir.tensor(array)
            model.graph.inputs.remove(value)
            model.graph.register_initializer(value)
        else:
            left[str(value.name)] = array
    return left


def _compile(keras_model: Any, folder: Path, tflite: Path) -> None:
    import tensorflow as tf

    from convert.lowering.onnx2tf_variables import constants_to_variables
    from convert.lowering.tflite_compiler import compile_saved_model

    module = tf.Module()
    module.kept = constants_to_variables(keras_model)
    specs = [tf.TensorSpec(t.shape, t.dtype, name=f"input_{i}") for i, t in enumerate(keras_model.inputs)]

    def serve(*fed: Any) -> dict[str, Any]:
        outputs = tf.nest.flatten(keras_model(list(fed), training=False))
        return {f"output_{index}": output for index, output in enumerate(outputs)}

    function = tf.function(serve, autograph=False, input_signature=specs).get_concrete_function()
    module.captured = list(function.variables)
    saved_model = folder / "saved_model"
    tf.saved_model.save(module, str(saved_model), signatures={"serving_default": function})
    compile_saved_model(saved_model, tflite)


def run_case(name: str, constants: tuple[str, ...], tflite: Path) -> Outcome:
    """onnx2tf's file on the case's inputs; an output counts as the same under any order of its axes."""
    from ai_edge_litert.interpreter import Interpreter

    from convert.lowering.road import read_model
    from verify.signature import channels_last_permutation

    try:
        given = _bind(read_model(DATA / name / "model.onnx"), name, constants)
        runner = Interpreter(str(tflite), num_threads=1).get_signature_runner("serving_default")
        fed = {}
        for index, array in enumerate(given.values()):
            axes = channels_last_permutation(array.ndim)
            wanted = runner.get_input_details()[f"input_{index}"]["dtype"]
            fed[f"input_{index}"] = (array if axes is None else array.transpose(axes)).astype(wanted)
        actual = runner(**fed)
        found = []
        for index, wanted in enumerate(tensors(name, "output")):
            found.append(_least_difference(wanted, actual[f"output_{index}"]))
    except Exception as error:
        return Outcome("failed", f"{type(error).__name__}: {error}"[:600], constants)
    differences = [text for text in found if text]
    return Outcome("different" if differences else "same", "; ".join(differences), constants)


def _least_difference(expected: Array, actual: Array) -> str:
    """Empty if the tensors are the same under some order of the axes, whatever the width of the type."""
    if expected.dtype.kind == actual.dtype.kind:
        actual = actual.astype(expected.dtype)
    first = difference(expected, actual)
    if not first or expected.ndim > 5:
        return first
    orders = itertools.permutations(range(expected.ndim))
    return "" if any(not difference(expected.transpose(order), actual) for order in orders) else first
