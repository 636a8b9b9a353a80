"""How many roundings lie behind each output of a float ``.tflite`` graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from verify.rounding.ancestry import CountedOp, Uncountable, roundings_of
from verify.rounding.bound import Roundings
from verify.rounding.onnx_ops import TRANSCENDENTAL
from verify.runners.tflite_file import dtype_of, open_model, tensor_map
from verify.runners.tflite_inspect import opcode_names

Count = Callable[[Any, Any], int]
"""Of a subgraph and one of its operators."""


def tflite_roundings(path: Path) -> tuple[Roundings, ...]:
    """Of every output; an op whose inner sizes the file leaves open cannot be counted. Raises ``ModelUnreadable``."""
    with open_model(path) as model:
        names, codes = tensor_map(model), opcode_names(model)
        graph = model.Subgraphs(names.subgraph)
        operators = [graph.Operators(index) for index in range(graph.OperatorsLength())]
        ops = [_counted(codes[operator.OpcodeIndex()], graph, operator) for operator in operators]
        return roundings_of(ops, ((name, str(at)) for name, at in names.outputs))


def _counted(op: str, graph: Any, operator: Any) -> CountedOp:
    inputs = tuple(str(operator.Inputs(index)) for index in range(operator.InputsLength()))
    outputs = tuple(str(operator.Outputs(index)) for index in range(operator.OutputsLength()))
    try:
        return CountedOp(inputs, outputs, _roundings(op, graph, operator))
    except Uncountable as reason:
        return CountedOp(inputs, outputs, None, str(reason))


def _roundings(op: str, graph: Any, operator: Any) -> int:
    made = dtype_of(graph.Tensors(operator.Outputs(0))) if operator.OutputsLength() else ""
    if op in _EXACT or made in {"int32", "int64", "bool"}:
        return 0
    if made in {"int8", "uint8", "int16"}:
        raise Uncountable(f"{op} computes in {made}")
    if op in _FIXED:
        return _FIXED[op]
    if op not in _COUNTS:
        raise Uncountable(f"how {op} rounds is not known")
    return _COUNTS[op](graph, operator)


def _shape(graph: Any, index: int) -> tuple[int, ...]:
    """The batch counts as one; raises ``Uncountable`` where another axis is dynamic."""
    tensor = graph.Tensors(index)
    signature = [] if tensor.ShapeSignatureIsNone() else [int(size) for size in tensor.ShapeSignatureAsNumpy()]
    if any(size < 0 for size in signature[1:]):
        raise Uncountable(f"{str(tensor.Name(), 'utf-8')} has a dynamic axis beside the batch")
    return tuple(abs(int(tensor.Shape(axis))) for axis in range(tensor.ShapeLength()))


def _input(graph: Any, operator: Any, index: int) -> tuple[int, ...]:
    return _shape(graph, operator.Inputs(index))


def _weights(axes: slice) -> Count:
    """The products of those axes of the second operand, and a bias."""
    return lambda graph, operator: math.prod(_input(graph, operator, 1)[axes]) + 1


def _reduced(graph: Any, operator: Any) -> int:
    made = math.prod(_shape(graph, operator.Outputs(0)))
    return max(1, math.prod(_input(graph, operator, 0)) // max(1, made)) + 1


def _batch_matmul(graph: Any, operator: Any) -> int:
    """At most the longer of the first operand's last two axes, whichever way round it is stored."""
    return max(_input(graph, operator, 0)[-2:])


def _along_last(graph: Any, operator: Any) -> int:
    return _input(graph, operator, 0)[-1] + TRANSCENDENTAL + 1


def _window(graph: Any, operator: Any) -> int:
    del graph
    from ai_edge_litert.schema_py_generated import Pool2DOptions

    options = Pool2DOptions()
    table = operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return int(options.FilterHeight() * options.FilterWidth())


_EXACT = frozenset({
    "ABS", "ARG_MAX", "ARG_MIN", "BATCH_TO_SPACE_ND", "BROADCAST_TO", "CAST", "CEIL", "CONCATENATION", "DEPTH_TO_SPACE",
    "DEQUANTIZE", "EXPAND_DIMS", "FILL", "FLOOR", "GATHER", "GATHER_ND", "MAXIMUM", "MAX_POOL_2D", "MINIMUM",
    "MIRROR_PAD", "NEG", "ONE_HOT", "PACK", "PAD", "PADV2", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RELU_0_TO_1",
    "RELU_N1_TO_1", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "ROUND", "SELECT", "SELECT_V2", "SHAPE", "SIGN",
    "SLICE", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TOPK_V2",
    "TRANSPOSE", "UNPACK", "WHERE", "ZEROS_LIKE",
})  # fmt: skip

_FIXED = {
    **dict.fromkeys(("ADD", "SUB", "MUL", "DIV", "SQRT", "SQUARE", "LEAKY_RELU", "PRELU", "SQUARED_DIFFERENCE"), 1),
    **dict.fromkeys(("RSQRT", "FLOOR_MOD"), 2),
    **dict.fromkeys(("HARD_SWISH",), 4),
    **dict.fromkeys(("EXP", "LOG", "LOGISTIC", "TANH", "SIN", "COS", "ELU", "POW", "ATAN2"), TRANSCENDENTAL),
    "GELU": 2 * TRANSCENDENTAL,
    "RESIZE_BILINEAR": 8,
}

_COUNTS: Mapping[str, Count] = {
    "CONV_2D": _weights(slice(1, None)),
    "DEPTHWISE_CONV_2D": _weights(slice(1, 3)),
    "FULLY_CONNECTED": _weights(slice(1, None)),
    "TRANSPOSE_CONV": _weights(slice(1, None)),
    "CONV_3D": _weights(slice(None, -1)),
    "BATCH_MATMUL": _batch_matmul,
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_PROD"), _reduced),
    "ADD_N": lambda _, operator: int(operator.InputsLength()),
    "SOFTMAX": _along_last,
    "LOG_SOFTMAX": _along_last,
    "L2_NORMALIZATION": _along_last,
    "CUMSUM": lambda graph, operator: max(_input(graph, operator, 0), default=1),
    "AVERAGE_POOL_2D": _window,
}
