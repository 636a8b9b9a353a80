"""The other road from ONNX to a SavedModel: onnx2tf, as a library, under the same contract as the exact lowering.

onnx2tf guesses layouts from what its own dummy inference gives, so nothing it says of its outputs is taken on trust: a
seeded probe is run through the ONNX file and through the result, and each output's axis order is the one permutation
under which both agree. A model that agrees under none is refused here, before anything is written.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx_ir as ir
from onnx_ir.passes.common import LiftConstantsToInitializersPass, NameFixPass

from convert.lowering.interface import declare, parse_layouts
from convert.lowering.onnx2tf_probe import Probe, find_permutations, make_probe
from convert.lowering.road import read_model
from convert.rewrites import apply_all
from convert.stages.base import StageResult
from verify.artifact import Artifact, Format, sha256_of
from verify.errors import LoweringFailed
from verify.report.types import Refusal
from verify.signature import Signature, TensorSpec

STAGE = "lower"


def lower(onnx_path: Path, out: Path, layout: tuple[str, ...]) -> StageResult:
    """Write the SavedModel folder ``out``; ``layout`` holds ``name=NCHW`` overrides, as for the exact lowering.

    The ONNX file is not touched: onnx2tf gets a rewritten copy. Raises ``LoweringFailed`` with onnx2tf's last words, or
    with the outputs on which its model and the ONNX file disagree.
    """
    from convert.lowering.onnx2tf_library import convert_to_keras
    from convert.lowering.onnx2tf_variables import constants_to_variables

    model = read_model(onnx_path)
    notes = apply_all(model)
    _tidy(model)
    signature = declare(model, parse_layouts(layout))
    with tempfile.TemporaryDirectory(prefix="onnx2tf_") as name:
        folder = Path(name)
        copy = folder / "model.onnx"
        ir.save(model, copy)
        probe = make_probe(signature)
        keras_model = convert_to_keras(copy, folder, probe, signature)
        permutations = find_permutations(onnx_path, keras_model, probe, signature)
    constants_to_variables(keras_model)
    function = _function(keras_model, signature, permutations, probe)
    _save(function, signature, out)
    refusals = [Refusal(STAGE, f"{note.rewrite} on {note.subject}", note.reason) for note in notes if not note.applied]
    artifact = Artifact(out, Format.SAVED_MODEL, signature, sha256_of(out))
    counts = Counter(note.rewrite for note in notes if note.applied)
    applied = (f"rewrite {name}: {count}×" for name, count in counts.items())
    return StageResult(artifact, (f"lowered by onnx2tf {version('onnx2tf')}", *applied), tuple(refusals))


def _tidy(model: ir.Model) -> None:
    """What onnx2tf's handlers rely on and onnxsim would do: axes and shapes as initializers, unique names."""
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    NameFixPass()(model)


def _save(function: Any, signature: Signature, out: Path) -> None:
    import tensorflow as tf

    from convert.lowering.saved_model import Lowered, save

    module = tf.__internal__.tracking.AutoTrackable()
    module.variables = _as_traced(function)
    module.trainable_variables = [variable for variable in module.variables if variable.trainable]
    module.serve = function
    save(Lowered(module, signature, function), out)


def _as_traced(function: Any) -> list[Any]:
    """All variables in the order in which the graph met them; ``function.variables`` is in that of their addresses.

    Also those of layers that onnx2tf made inside lambdas, which Keras loses.
    """
    place = {id(captured): index for index, (captured, _) in enumerate(function.graph.captures)}
    return sorted(function.variables, key=lambda variable: place.get(id(variable.handle), len(place)))


def _function(keras_model: Any, signature: Signature, permutations: Mapping[str, tuple[int, ...]], probe: Probe) -> Any:
    """The Keras model as one traced function with ONNX's names and the declared layouts."""
    import tensorflow as tf

    def serve(*tensors: Any) -> dict[str, Any]:
        fed = [
            _permuted(tensor, spec.permutation, probe.permutation(spec))
            for spec, tensor in zip(signature.inputs, tensors, strict=True)
        ]
        results = tf.nest.flatten(keras_model(fed, training=False))
        return {
            spec.name: _as_declared(result, permutations[spec.name], spec)
            for spec, result in zip(signature.outputs, results, strict=True)
        }

    specs = [
        tf.TensorSpec([None if isinstance(dim, str) else dim for dim in spec.shape], spec.dtype, name=spec.name)
        for spec in signature.inputs
    ]
    return tf.function(serve, autograph=False, input_signature=specs).get_concrete_function()


def _permuted(tensor: Any, stored: tuple[int, ...] | None, wanted: tuple[int, ...] | None) -> Any:
    """A tensor stored as one permutation of the PyTorch layout → stored as another."""
    import tensorflow as tf

    identity = tuple(range(len(tensor.shape)))
    axes = [(stored or identity).index(axis) for axis in (wanted or identity)]
    return tensor if axes == list(identity) else tf.transpose(tensor, axes)


def _as_declared(tensor: Any, found: tuple[int, ...], spec: TensorSpec) -> Any:
    import tensorflow as tf

    tensor = _permuted(tensor, found, spec.permutation)
    static = [None if isinstance(dim, str) else dim for dim in spec.shape]
    baked = [
        name for name, size in zip(spec.shape, tensor.shape, strict=True) if isinstance(name, str) and size is not None
    ]
    if baked or not tensor.shape.is_compatible_with(static):
        raise LoweringFailed(
            f"onnx2tf made output {spec.name!r} {tensor.shape}; it is declared as {spec.shape}",
            fix="use the exact lowering (--lowering exact)",
        )
    return tf.identity(tf.ensure_shape(tf.cast(tensor, spec.dtype), static), name="output")
