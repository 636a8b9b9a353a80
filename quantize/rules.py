"""Which op types become int8, and in which form: our typed rules, and the library's configuration that they come to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from quantize.kernels import KERNELS
from quantize.recipe import (
    ACTIVATIONS_INT8,
    ACTIVATIONS_INT16,
    IoType,
    OpRule,
    PerChannel,
    PerTensor,
    Precision,
    Recipe,
    TensorRule,
)
from verify.runners.tflite_file import open_model, tensor_map

EVERY_SCOPE = ".*"

LEFT_ALONE = frozenset({"DIV"})
"""Ops that the library makes int8 and LiteRT then may not run. DIV stops at a divisor whose stored value is 0, which
any number may be (int8 files of ConvNeXt and EdgeNeXt were written and did not run)."""

LEFT_ALONE_INT16 = frozenset({"SUM"})
"""Its int16 kernel wants the results in the scale of the terms, in which a sum does not fit: 4 dB on a one-op file."""


INT4_WEIGHTS = frozenset({"CONV_2D", "FULLY_CONNECTED"})
"""Ops that LiteRT computes on int4 weights and integer activations."""


def static_rules(
    model: Path, activations: TensorRule = ACTIVATIONS_INT8, weight_bits: int = 8, *, per_tensor_weights: bool = False
) -> tuple[OpRule, ...]:
    """A rule for each op type of the model that LiteRT computes on such activations, in order of name."""
    from ai_edge_quantizer.utils.tfl_flatbuffer_utils import TFL_OP_TO_WEIGHT_QUANTIZED_DIM

    from quantize.static_parameters import library_name

    with open_model(model) as opened:
        codes = {_builtin_code(opened.OperatorCodes(index)) for index in range(opened.OperatorCodesLength())}
    axes = {op.value: axis for op, axis in TFL_OP_TO_WEIGHT_QUANTIZED_DIM.items()}
    rules = []
    for op in sorted(map(library_name, codes)):
        granularity = PerTensor() if per_tensor_weights else PerChannel(axes.get(op, 0))
        weights = TensorRule(weight_bits if op in INT4_WEIGHTS else 8, symmetric=True, granularity=granularity)
        rule = OpRule(op, activations, weights if op in axes else None)
        if has_kernel(rule):
            rules.append(rule)
    return tuple(rules)


def observed_tensors(model: Path, ops: Collection[OpRule]) -> tuple[tuple[str, int], ...]:
    """Float activations that need a range, as (name, index in the main subgraph): what ruled ops take and give.

    What an op gives and nobody reads (an LSTM's first forget gate) needs none, and LiteRT keeps no values of it.
    """
    from ai_edge_litert.schema_py_generated import TensorType

    from quantize.static_parameters import library_name

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
            if library_name(code) in ruled:
                wanted |= {operator.Inputs(index) for index in range(operator.InputsLength())}
                wanted |= {operator.Outputs(index) for index in range(operator.OutputsLength())}
        return tuple(
            (graph.Tensors(at).Name().decode(), int(at))
            for at in sorted((wanted & read) - {-1})
            if graph.Tensors(at).Type() == TensorType.FLOAT32 and not _is_constant(opened, graph.Tensors(at))
        )


def config_of(recipe: Recipe) -> Callable[[str, tuple[str, ...]], Any | None]:
    """The library's configuration of an op, by its name there and its outputs' names; ``None`` where it stays float."""
    rules = {rule.op: rule for rule in recipe.ops}
    if recipe.io is not IoType.FLOAT32:
        edge = ACTIVATIONS_INT16 if recipe.io is IoType.INT16 else ACTIVATIONS_INT8
        rules |= {op: OpRule(op, edge, None) for op in ("INPUT", "OUTPUT")}
    lifted = {each.output: each.precision for each in recipe.overrides}
    configs = {op: _library_config(rule) for op, rule in rules.items()}
    wide = {op: _library_config(replace(rule, activations=ACTIVATIONS_INT16)) for op, rule in rules.items()}

    def found(op: str, outputs: tuple[str, ...]) -> Any | None:
        precision = next((lifted[name] for name in outputs if name in lifted), None) if op != "INPUT" else None
        if precision is Precision.FLOAT:
            return None
        return (wide if precision is Precision.INT16 else configs).get(op)

    return found


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


def has_kernel(rule: OpRule) -> bool:
    """Whether LiteRT computes the op so, and right: the library's policy allows it, or it is one of ours."""
    from ai_edge_quantizer import algorithm_manager
    from ai_edge_quantizer.qtyping import TFLOperationName

    wide = rule.activations.bits == ACTIVATIONS_INT16.bits
    if rule.op in LEFT_ALONE or (wide and rule.op in LEFT_ALONE_INT16):
        return False
    if rule.op in KERNELS:
        return KERNELS[rule.op].int16 or not wide
    if rule.op not in {each.value for each in TFLOperationName}:
        return False
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
