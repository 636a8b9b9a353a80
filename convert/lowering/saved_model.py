"""An ONNX model as a SavedModel: weights as variables, one signature, names as ONNX has them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx_ir as ir
import tensorflow as tf

from convert.layout.layout import Layout
from convert.layout.value import Tensor, Value
from convert.lowering.functions import expand_functions
from convert.lowering.graph import as_tensor, lower_graph, require_known_ops
from convert.lowering.interface import declare
from convert.lowering.origins import Origins, module_path, write_modules
from convert.lowering.trace import Trace
from convert.lowering.weights import Weights
from verify.errors import LoweringFailed
from verify.signature import Signature, TensorSpec

SIGNATURE = "serving_default"


@dataclass(frozen=True)
class Lowered:
    """A traced model that can be saved or called."""

    module: Any
    signature: Signature
    function: Any
    weights: Weights = field(default_factory=Weights)
    origins: Origins = field(default_factory=Origins)
    output_modules: Mapping[str, str] = field(default_factory=dict)


def lower(model: ir.Model, layouts: Mapping[str, str] | None = None, *, only_to_save: bool = False) -> Lowered:
    """Trace the graph; ``layouts`` says for inputs and outputs ``NCHW`` where they are to stay as PyTorch has them.

    ``only_to_save``: nobody will call it, so that large weights need no memory before they are saved.

    Raises ``UnsupportedOp`` naming every op that is not known, before anything is traced.
    """
    expand_functions(model)
    require_known_ops(model)
    signature = declare(model, layouts or {})
    weights = Weights(deferred=only_to_save)
    origins = Origins()
    function = _traced(model, signature, weights, origins)
    return Lowered(_module(function, weights), signature, function, weights, origins, _output_modules(model))


def save(lowered: Lowered, folder: Path) -> None:
    """Write the SavedModel; loading it gives ``variables``, ``trainable_variables`` and a call by input names."""
    options = tf.saved_model.SaveOptions(
        experimental_debug_stripper=True, experimental_sharding_callback=lowered.weights.sharding()
    )
    write = tf.autograph.experimental.do_not_convert(tf.saved_model.save)  # it would rewrite TensorFlow's own wrapper
    write(lowered.module, str(folder), signatures={SIGNATURE: lowered.function}, options=options)
    _settle_fingerprint(folder / "fingerprint.pb")
    write_modules(folder, lowered.origins.modules(), lowered.output_modules)


def _settle_fingerprint(path: Path) -> None:
    """TensorFlow gives each SavedModel a random id; from its other fields, the same model is the same bytes."""
    from tensorflow.core.protobuf.fingerprint_pb2 import FingerprintDef

    fingerprint = FingerprintDef.FromString(path.read_bytes())
    fingerprint.uuid = ""
    digest = hashlib.sha256(fingerprint.SerializeToString(deterministic=True)).digest()
    fingerprint.uuid = str(int.from_bytes(digest[:8], "big"))  # 64 bits in decimal, as TensorFlow writes it
    path.write_bytes(fingerprint.SerializeToString(deterministic=True))


def _output_modules(model: ir.Model) -> dict[str, str]:
    makers = {str(output.name): output.producer() for output in model.graph.outputs}
    return {name: module_path(node) for name, node in makers.items() if node is not None and module_path(node)}


def _traced(model: ir.Model, signature: Signature, weights: Weights, origins: Origins) -> Any:
    def serve(*tensors: Tensor) -> dict[str, Tensor]:
        trace = Trace(weights, origins)
        inputs = {
            spec.name: _input(trace, spec, tensor) for spec, tensor in zip(signature.inputs, tensors, strict=True)
        }
        outputs = lower_graph(model, inputs, trace)
        return {spec.name: _output(trace, spec, outputs[spec.name]) for spec in signature.outputs}

    specs = [
        tf.TensorSpec([None if isinstance(dim, str) else dim for dim in spec.shape], spec.dtype, name=spec.name)
        for spec in signature.inputs
    ]
    return tf.function(serve, autograph=False, input_signature=specs).get_concrete_function()


def _input(trace: Trace, spec: TensorSpec, tensor: Tensor) -> Value:
    layout = _layout(spec)
    names = [dim if isinstance(dim, str) else None for dim in layout.logical(spec.shape)]  # type: ignore[arg-type]
    return Value(tensor, layout, trace.sizes(tensor, layout, names))


def _output(trace: Trace, spec: TensorSpec, value: Value) -> Tensor:
    tensor = as_tensor(trace, value, _layout(spec), tf.as_dtype(spec.dtype))
    static = [None if isinstance(dim, str) else dim for dim in spec.shape]
    if not tensor.shape.is_compatible_with(static):
        raise LoweringFailed(
            f"output {spec.name!r} came out with shape {tensor.shape} and is declared as {spec.shape}",
            fix="report the model; --lowering onnx2tf may convert it",
        )
    return tf.identity(tensor, name="output")


def _layout(spec: TensorSpec) -> Layout:
    return Layout(spec.permutation) if spec.permutation is not None else Layout.identity(len(spec.shape))


def _module(function: Any, weights: Weights) -> Any:
    module = tf.__internal__.tracking.AutoTrackable()
    module.variables = weights.variables
    module.trainable_variables = weights.variables
    module.serve = function
    return module
