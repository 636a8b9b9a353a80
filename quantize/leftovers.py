"""What a quantized file still does in float, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from quantize.kernels import KERNELS
from quantize.recipe import Precision, Recipe
from quantize.result import FloatOp
from quantize.selection import rule_name
from verify.errors import NotFullyInt8
from verify.runners.tflite_file import dtype_of, open_model, tensor_map
from verify.runners.tflite_inspect import float_operators, opcode_names

_KEPT = "it was asked to be kept in float", ""

_UNROLL = "give the recurrent layer a short fixed length: it is then written out step by step"

_INSIDE = "it is inside a loop or a branch, and LiteRT shows no values from in there", _UNROLL

_LOOP = "LiteRT shows no values from inside it, so that int8 ranges cannot be learnt", _UNROLL

_REASONS = {
    "WHILE": _LOOP,
    "IF": _LOOP,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        "LiteRT's float kernel shows no values of its cell, which its int8 kernel needs ranges of",
        _UNROLL,
    ),
    "SVDF": ("the quantizer has no rule for its state, which LiteRT's int8 kernel keeps in 16 bits", _UNROLL),
    "CAST": ("an int8 holds no whole number beyond 127", "give the model floats, or booleans"),
    "DIV": (
        "LiteRT's int8 kernel stops where a divisor is stored as 0, so it is computed in float between a dequantize "
        "and a quantize",
        "multiply by the reciprocal (rsqrt, in a normalisation) if every op must be int8",
    ),
}
"""Those of :data:`quantize.rules.LEFT_ALONE` among them."""

_LARGE_WEIGHTS = 1024
"""Elements. Smaller constants, and vectors (biases), stay in float on purpose in weight-only files."""


def left_in_float(path: Path, recipe: Recipe) -> tuple[FloatOp, ...]:
    """Ops of a static file that compute in float, most frequent first. A type comes twice if its reasons differ."""
    ruled = {rule.op for rule in recipe.ops}
    kept = {each.output for each in recipe.overrides if each.precision is Precision.FLOAT}
    found: dict[tuple[str, str, str], list[str]] = {}
    with open_model(path) as model:
        main = tensor_map(model).subgraph
    for each in float_operators(path):
        reason, remedy = _INSIDE if each.subgraph != main else _KEPT if each.output in kept else _why(each.op, ruled)
        found.setdefault((each.op, reason, remedy), []).append(each.output)
    ranked = sorted(found.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    return tuple(FloatOp(op, len(names), reason, remedy, tuple(names)) for (op, reason, remedy), names in ranked)


def require_none(float_ops: Collection[FloatOp], model: str) -> None:
    """Raise ``NotFullyInt8`` that lists what computes in float, and why, if anything does."""
    if float_ops:
        listed = "; ".join(f"{each.count} × {each.op} ({each.reason})" for each in float_ops)
        remedies = dict.fromkeys(each.remedy for each in float_ops if each.remedy)
        raise NotFullyInt8(f"not every op of {model} can be int8: {listed}", fix="; ".join(remedies))


def float_weights(path: Path) -> tuple[FloatOp, ...]:
    """Ops of a weight-only file (float16, dynamic int8) whose large constants stay float32."""
    with open_model(path) as model:
        names = opcode_names(model)
        found = Counter(
            names[operator.OpcodeIndex()]
            for graph in map(model.Subgraphs, range(model.SubgraphsLength()))
            for operator in map(graph.Operators, range(graph.OperatorsLength()))
            if any(_is_large_float_constant(model, graph, operator.Inputs(at)) for at in range(operator.InputsLength()))
        )
    reason = "the quantizer has no weight-only rule for it, so its constants stay float32"
    return tuple(FloatOp(op, count, reason) for op, count in sorted(found.items()))


def _is_large_float_constant(model: Any, graph: Any, at: int) -> bool:
    if at < 0:
        return False
    tensor = graph.Tensors(at)
    buffer = model.Buffers(tensor.Buffer())
    large = max(buffer.DataLength(), buffer.Size()) >= 4 * _LARGE_WEIGHTS
    return large and tensor.ShapeLength() > 1 and dtype_of(tensor) == "float32"


def _why(op: str, ruled: Collection[str]) -> tuple[str, str]:
    if op in _REASONS:
        return _REASONS[op]
    if op not in KERNELS and rule_name(op) in ruled:
        return "the recipe has an int8 rule for it, but not for tensors of the type it has here", ""
    if op in KERNELS:
        return (
            "LiteRT computes it in int8, but not in what the recipe asks for, so it is computed in float between a "
            "dequantize and a quantize",
            "replace it in the model, or use the int8 file",
        )
    return (
        "LiteRT has no int8 kernel for it, so it is computed in float between a dequantize and a quantize",
        "replace it in the model if every op must be int8",
    )
