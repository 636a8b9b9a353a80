"""Which op types become int8, and in which form: our typed rules, and the library's recipe that they come to."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from quantize.recipe import ACTIVATIONS_INT8, IoType, OpRule, PerChannel, TensorRule
from verify.runners.tflite_file import open_model, tensor_map

EVERY_SCOPE = ".*"


LEFT_ALONE = frozenset({"DIV"})
"""Ops that the library makes int8 and LiteRT then may not run. DIV stops at a divisor whose stored value is 0, which
any number may be (int8 files of ConvNeXt and EdgeNeXt were written and did not run)."""


def static_rules(model: Path) -> tuple[OpRule, ...]:
    """An int8 rule for each op type of the model that the library can make int8, in order of name."""
    from ai_edge_quantizer.utils.tfl_flatbuffer_utils import TFL_OP_CODE_TO_NAME, TFL_OP_TO_WEIGHT_QUANTIZED_DIM

    with open_model(model) as opened:
        codes = {_builtin_code(opened.OperatorCodes(index)) for index in range(opened.OperatorCodesLength())}
    known = [TFL_OP_CODE_TO_NAME[code] for code in codes if code in TFL_OP_CODE_TO_NAME]
    known = [op for op in known if op.value not in LEFT_ALONE]
    rules = []
    for op in sorted(known, key=str):
        axis = TFL_OP_TO_WEIGHT_QUANTIZED_DIM.get(op)
        weights = None if axis is None else TensorRule(bits=8, symmetric=True, granularity=PerChannel(axis))
        rule = OpRule(str(op.value), ACTIVATIONS_INT8, weights)
        if library_has(rule):
            rules.append(rule)
    return tuple(rules)


def observed_tensors(model: Path, ops: Collection[OpRule]) -> tuple[tuple[str, int], ...]:
    """Float activations that need a range, as (name, index in the main subgraph): what ruled ops take and give.

    What an op gives and nobody reads (an LSTM's first forget gate) needs none, and LiteRT keeps no values of it.
    """
    from ai_edge_litert.schema_py_generated import TensorType
    from ai_edge_quantizer.utils.tfl_flatbuffer_utils import TFL_OP_CODE_TO_NAME

    ruled = {rule.op for rule in ops}
    with open_model(model) as opened:
        names = tensor_map(opened)
        graph = opened.Subgraphs(names.subgraph)
        edges = {at for _, at in (*names.inputs, *names.outputs)}
        operators = list(map(graph.Operators, range(graph.OperatorsLength())))
        read = edges | {each.Inputs(index) for each in operators for index in range(each.InputsLength())}
        wanted = set(edges)
        for operator in operators:
            code = _builtin_code(opened.OperatorCodes(operator.OpcodeIndex()))
            if code in TFL_OP_CODE_TO_NAME and TFL_OP_CODE_TO_NAME[code].value in ruled:
                wanted |= {operator.Inputs(index) for index in range(operator.InputsLength())}
                wanted |= {operator.Outputs(index) for index in range(operator.OutputsLength())}
        return tuple(
            (graph.Tensors(at).Name().decode(), int(at))
            for at in sorted((wanted & read) - {-1})
            if graph.Tensors(at).Type() == TensorType.FLOAT32 and not _is_constant(opened, graph.Tensors(at))
        )


def library_recipe(ops: Collection[OpRule], io: IoType) -> Any:
    """The library's own recipe object for these rules."""
    from ai_edge_quantizer.qtyping import TFLOperationName
    from ai_edge_quantizer.recipe_manager import RecipeManager

    recipes = RecipeManager()
    for rule in ops:
        recipes.add_quantization_config(EVERY_SCOPE, TFLOperationName(rule.op), _library_config(rule))
    if io is not IoType.FLOAT32:
        edge = _library_config(OpRule("INPUT", ACTIVATIONS_INT8, None))
        for op in (TFLOperationName.INPUT, TFLOperationName.OUTPUT):
            recipes.add_quantization_config(EVERY_SCOPE, op, edge)
    return recipes


def _library_config(rule: OpRule) -> Any:
    from ai_edge_quantizer import qtyping

    weights = rule.weights or TensorRule(bits=8, symmetric=True, granularity=PerChannel(0))
    per_channel = isinstance(weights.granularity, PerChannel)
    return qtyping.OpQuantizationConfig(
        activation_tensor_config=qtyping.TensorQuantizationConfig(
            num_bits=rule.activations.bits, symmetric=rule.activations.symmetric
        ),
        weight_tensor_config=qtyping.TensorQuantizationConfig(
            num_bits=weights.bits,
            symmetric=weights.symmetric,
            granularity=qtyping.QuantGranularity.CHANNELWISE if per_channel else qtyping.QuantGranularity.TENSORWISE,
        ),
        compute_precision=qtyping.ComputePrecision.INTEGER,
        explicit_dequantize=False,
    )


def library_has(rule: OpRule) -> bool:
    """Whether the library's policy allows the rule."""
    from ai_edge_quantizer import algorithm_manager
    from ai_edge_quantizer.qtyping import TFLOperationName

    try:
        algorithm_manager.check_op_quantization_config(
            algorithm_manager.AlgorithmName.MIN_MAX_UNIFORM_QUANT, TFLOperationName(rule.op), _library_config(rule)
        )
    except ValueError:
        return False
    return True


def _builtin_code(code: Any) -> int:
    return max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))


def _is_constant(model: Any, tensor: Any) -> bool:
    buffer = model.Buffers(tensor.Buffer())
    return bool(buffer.DataLength() or buffer.Size())
