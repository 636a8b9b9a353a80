"""The one place that drives ai-edge-quantizer: float flatbuffer in, quantized flatbuffer out, no TensorFlow.

Run these in a :mod:`verify.worker`: a fresh file can abort the interpreter that checks it. The library's own
``Quantizer.quantize`` is not called as it stands: it unpacks the model three times, copies every weight once more and
opens two interpreters; the same steps on one copy give the same bytes (a test compares the two).
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from quantize import edges
from quantize.attention_masks import attention_masks
from quantize.correction.patches import apply_patches, prepared
from quantize.dead_channels import widened_weights
from quantize.float16_biases import cast_biases
from quantize.leftovers import float_weights, left_in_float
from quantize.operators import operators
from quantize.recipe import IoType, Recipe, TensorRange
from quantize.result import QuantizationResult
from quantize.rewritten import rewritten
from quantize.rules import EVERY_SCOPE, INT4_WEIGHTS, config_of, has_kernel
from quantize.selection import require_applicable
from quantize.symmetric_operands import symmetric_operands
from quantize.unused_tensors import release_buffers, type_unread_parts
from verify.artifact import sha256_of
from verify.errors import InputError, QuantizationFailed
from verify.flatbuffer import unpack, write
from verify.runners.tflite_file import open_model, tensor_map, tflite_signature

ENGINE = "ai-edge-quantizer"
_MAX_FLOAT16 = float(np.finfo(np.float16).max)


def to_float16(model: Path, out: Path) -> QuantizationResult:
    """Store weights as float16; computation stays float32. Raises ``QuantizationFailed`` if a weight overflows."""
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import TFLOperationName
    from ai_edge_quantizer.recipe_manager import RecipeManager

    recipes = RecipeManager()
    recipes.add_weight_only_config(
        EVERY_SCOPE, TFLOperationName.ALL_SUPPORTED, num_bits=16, algorithm_key=AlgorithmName.FLOAT_CASTING
    )
    _quantize(model, out, partial(_weight_parameters, recipes), cast_biases)
    _require_finite_float16(out)
    return QuantizationResult(tflite_signature(out, {}), float_weights(out))


def to_dynamic_int8(model: Path, out: Path) -> QuantizationResult:
    """Store weights as int8, one scale a channel; LiteRT quantizes activations as it runs. Needs no data."""
    from ai_edge_quantizer.qtyping import TFLOperationName
    from ai_edge_quantizer.recipe_manager import RecipeManager

    recipes = RecipeManager()
    recipes.add_dynamic_config(EVERY_SCOPE, TFLOperationName.ALL_SUPPORTED, num_bits=8)
    _quantize(model, out, partial(_weight_parameters, recipes))
    return QuantizationResult(tflite_signature(out, {}), float_weights(out))


def to_int8(model: Path, out: Path, recipe: Recipe) -> QuantizationResult:
    """Make weights and activations int8 as a recipe says; the same recipe gives the same bytes.

    Raises ``InputError`` when the recipe is another model's or another engine's, ``QuantizationFailed`` when the
    library refuses.
    """
    _require_applicable(model, recipe)
    with rewritten(model, recipe.activations) as same, prepared(same, recipe.corrections) as source:
        return apply_recipe(source, out, recipe)


def apply_recipe(model: Path, out: Path, recipe: Recipe) -> QuantizationResult:
    """As :func:`to_int8`, for a recipe that was just made for this very model.

    ``model`` is :func:`rewritten` and :func:`prepared` already.
    """
    require_applicable(recipe, operators(model))
    seen = _with_input_stats(model, recipe)
    masks = attention_masks(model, seen)
    replaced = {each.tensor: each for mask in masks for each in mask.ranges}
    wanted = symmetric_operands(model, ({each.tensor: each for each in seen} | replaced).values())
    widened = widened_weights(model, recipe.ops, wanted)
    ranges = _library_ranges(model, wanted)
    ranges |= {each.tensor: {"min": -each.bound, "max": each.bound} for each in widened}
    parameters = partial(_static_parameters, recipe, ranges, _main_subgraph(model))
    _quantize(model, out, parameters, partial(_finish, recipe))
    notes = (
        *(
            f"{each.tensor}: {each.widened_channels} channels have next to no weights; their range was widened "
            "so that the bias fits"
            for each in widened
        ),
        *(
            f"{hidden}: minus infinity is stored as {low:.3g}, from where softmax gives 0"
            for hidden, low in {mask.hidden: mask.low for mask in masks}.items()
        ),
    )
    return QuantizationResult(tflite_signature(out, {}), left_in_float(out, recipe), recipe, notes)


def to_weight_only_int8(model: Path, out: Path) -> QuantizationResult:
    """Store weights as int8, one scale a channel; LiteRT turns them back and computes in float. Needs no data."""
    from ai_edge_quantizer.qtyping import TFLOperationName
    from ai_edge_quantizer.recipe_manager import RecipeManager

    recipes = RecipeManager()
    recipes.add_weight_only_config(EVERY_SCOPE, TFLOperationName.ALL_SUPPORTED, num_bits=8)
    _quantize(model, out, partial(_weight_parameters, recipes))
    return QuantizationResult(tflite_signature(out, {}), float_weights(out))


def to_int4_weights(model: Path, out: Path) -> QuantizationResult:
    """As :func:`to_dynamic_int8`, with int4 weights in the ops that LiteRT computes on them. Needs no data."""
    from ai_edge_quantizer.qtyping import TFLOperationName
    from ai_edge_quantizer.recipe_manager import RecipeManager

    recipes = RecipeManager()
    recipes.add_dynamic_config(EVERY_SCOPE, TFLOperationName.ALL_SUPPORTED, num_bits=8)
    for op in sorted(INT4_WEIGHTS | {"EMBEDDING_LOOKUP"}):
        recipes.add_dynamic_config(EVERY_SCOPE, TFLOperationName(op), num_bits=4)
    _quantize(model, out, partial(_weight_parameters, recipes))
    return QuantizationResult(tflite_signature(out, {}), float_weights(out))


def engine_version() -> str:
    """The version of the quantizer library that is installed."""
    return importlib.metadata.version(ENGINE)


def _with_input_stats(model: Path, recipe: Recipe) -> tuple[TensorRange, ...]:
    """The recipe's ranges, those of inputs replaced whose scale and zero point are given."""
    with open_model(model) as opened:
        names = tensor_map(opened)
        graph = opened.Subgraphs(names.subgraph)
        tensors = {name: graph.Tensors(at).Name().decode() for name, at in names.inputs}
    given = {tensors[each.input]: TensorRange(tensors[each.input], *each.limits()) for each in recipe.input_stats}
    return tuple(given.get(each.tensor, each) for each in recipe.calibration.ranges)


def _main_subgraph(model: Path) -> int:
    with open_model(model) as opened:
        return tensor_map(opened).subgraph


def _finish(recipe: Recipe, unpacked: Any) -> None:
    apply_patches(unpacked, recipe.corrections)
    if recipe.io is IoType.UINT8:
        edges.make_edges_uint8(unpacked)


def _static_parameters(
    recipe: Recipe, ranges: dict[str, Any], main: int, unpacked: Any, _content: bytes
) -> dict[str, Any]:
    from quantize.static_parameters import StaticParameters

    return StaticParameters(unpacked).generate(config_of(recipe), ranges, main)


def _weight_parameters(recipes: Any, _unpacked: Any, content: bytes) -> dict[str, Any]:
    from ai_edge_quantizer.params_generator import ParamsGenerator

    found: dict[str, Any] = ParamsGenerator(content).generate_quantization_parameters(recipes, {})
    return found


def _quantize(
    model: Path,
    out: Path,
    parameters_of: Callable[[Any, bytes], dict[str, Any]],
    edit: Callable[[Any], None] | None = None,
) -> None:
    """The library's steps on one copy of the model: parameters, instructions, transformation, serialization.

    ``edit`` changes the unpacked result before it is written.
    """
    from ai_edge_quantizer.model_modifier import ModelModifier
    from ai_edge_quantizer.transformation_performer import TransformationPerformer

    from quantize.graph_index import IndexedInstructionsGenerator

    content = model.read_bytes()
    try:
        unpacked = unpack(content)
        parameters = parameters_of(unpacked, content)
        outputs = {index: list(graph.outputs) for index, graph in enumerate(unpacked.subgraphs)}
        instructions = IndexedInstructionsGenerator().quant_params_to_transformation_insts(parameters, unpacked)
        del parameters
        order = ModelModifier(content)._get_tensor_processing_order(instructions, unpacked)
        TransformationPerformer().transform_graph(instructions, unpacked, order)
    except (ValueError, RuntimeError, KeyError, NotImplementedError) as error:
        raise QuantizationFailed(
            f"{ENGINE} {engine_version()} refuses {model.name}: {type(error).__name__}: {error}",
            fix="use the float16 or dynamic int8 file, and report the model",
        ) from error
    del instructions
    edges.repoint_outputs(unpacked, outputs)
    edges.restore_dynamic_dims(unpacked)
    edges.widen_through_float(unpacked)
    release_buffers(unpacked)
    type_unread_parts(unpacked)
    if edit is not None:
        edit(unpacked)
    write(unpacked, out)


def _library_ranges(model: Path, wanted: Collection[TensorRange]) -> dict[str, Any]:
    """``{tensor: {min, max}}``, each of the tensor's rank with all dims 1, as float32 like the library's own."""
    with open_model(model) as opened:
        graph = opened.Subgraphs(tensor_map(opened).subgraph)
        tensors = map(graph.Tensors, range(graph.TensorsLength()))
        ranks = {tensor.Name().decode(): tensor.ShapeLength() for tensor in tensors}
    unknown = [each.tensor for each in wanted if each.tensor not in ranks]
    if unknown:
        raise InputError(f"the recipe has a range for tensor {unknown[0]!r}, which {model.name} does not have")

    def shaped(value: float, tensor: str) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.full((1,) * ranks[tensor], value, np.float32)

    return {
        each.tensor: {"min": shaped(each.low, each.tensor), "max": shaped(each.high, each.tensor)} for each in wanted
    }


def _require_applicable(model: Path, recipe: Recipe) -> None:
    found = sha256_of(model)
    if found != recipe.input_sha256:
        raise InputError(
            f"the recipe was made for another float file (sha256 {recipe.input_sha256[:12]}…); "
            f"{model.name} has {found[:12]}…",
            fix="give the float file it was made from, or calibrate anew",
        )
    if (recipe.engine, recipe.engine_version) != (ENGINE, engine_version()):
        raise InputError(
            f"the recipe was made with {recipe.engine} {recipe.engine_version}; installed is {ENGINE} "
            f"{engine_version()}, which may give other bytes",
            fix=f"install {recipe.engine}=={recipe.engine_version}, or calibrate anew",
        )
    impossible = [rule.op for rule in recipe.ops if not has_kernel(rule)]
    if impossible:
        raise InputError(f"{ENGINE} {engine_version()} has no such int8 rule for {', '.join(impossible)}")


def _require_finite_float16(path: Path) -> None:
    with open_model(path) as model:
        overflowing = [
            tensor.Name().decode()
            for graph in map(model.Subgraphs, range(model.SubgraphsLength()))
            for tensor in map(graph.Tensors, range(graph.TensorsLength()))
            if _is_infinite_float16(model, tensor)
        ]
    if overflowing:
        raise QuantizationFailed(
            f"weight {overflowing[0]!r} has values beyond {_MAX_FLOAT16:g}, which float16 cannot hold",
            fix="use the float32 or dynamic int8 file",
        )


def _is_infinite_float16(model: Any, tensor: Any) -> bool:
    from ai_edge_litert.schema_py_generated import TensorType

    if tensor.Type() != TensorType.FLOAT16 or not model.Buffers(tensor.Buffer()).DataLength():
        return False
    stored = model.Buffers(tensor.Buffer()).DataAsNumpy().view(np.float16)
    return not np.isfinite(stored).all()
