"""What a quantized file still does in float, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from quantize.kernels import INT8_KERNELS
from quantize.result import FloatOp
from quantize.rules import LEFT_ALONE
from verify.runners.tflite_file import dtype_of, open_model
from verify.runners.tflite_inspect import float_op_counts, opcode_names

_RULE_NAMES = {"TRANSPOSE_CONV": "CONV_2D_TRANSPOSE"}
"""TFLite's name → the quantizer library's, where they differ."""

_LARGE_WEIGHTS = 1024
"""Elements. Smaller constants, and vectors (biases), stay in float on purpose in weight-only files."""


def left_in_float(path: Path, ruled: Collection[str]) -> tuple[FloatOp, ...]:
    """Ops of a static int8 file that compute in float. ``ruled`` are the op types the recipe has a rule for."""
    return tuple(FloatOp(op, count, *_why(op, ruled)) for op, count in float_op_counts(path))


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
    if _RULE_NAMES.get(op, op) in ruled:
        return "the recipe has an int8 rule for it, but not for tensors of the type it has here", ""
    if op in LEFT_ALONE:
        return (
            "LiteRT's int8 kernel stops where a divisor is stored as 0, so it is computed in float between a "
            "dequantize and a quantize",
            "multiply by the reciprocal (rsqrt, in a normalisation) if every op must be int8",
        )
    if op in INT8_KERNELS:
        return (
            "LiteRT has an int8 kernel for it, but the recipe has no rule, so it is computed in float "
            "between a dequantize and a quantize",
            "make the recipe anew",
        )
    return (
        "LiteRT has no int8 kernel for it, so it is computed in float between a dequantize and a quantize",
        "replace it in the model if every op must be int8",
    )
