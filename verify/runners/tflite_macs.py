"""Multiply-accumulates of one op of a TFLite file at batch 1: of convolutions and matrix products; others have none."""

from __future__ import annotations

import math
from typing import Any


def operator_macs(op: str, graph: Any, operator: Any) -> int:
    """``op`` is TFLite's name of the operator, ``graph`` the subgraph that it is in."""

    def shape(index: int) -> tuple[int, ...]:
        return _shape(graph.Tensors(operator.Inputs(index)))

    made = math.prod(_shape(graph.Tensors(operator.Outputs(0)))) if operator.OutputsLength() else 0
    if op in {"CONV_2D", "CONV_3D"}:
        weights = shape(1)
        return made * math.prod(weights[1:] if op == "CONV_2D" else weights[:-1])
    if op == "DEPTHWISE_CONV_2D":
        return made * math.prod(shape(1)[1:3])
    if op == "FULLY_CONNECTED":
        return made * shape(1)[1]
    if op == "TRANSPOSE_CONV":
        return math.prod(shape(2)) * math.prod(shape(1)[:3])
    if op == "BATCH_MATMUL":
        return made * shape(0)[-2 if _transposed(operator) else -1]
    return 0


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(abs(int(tensor.Shape(axis))) for axis in range(tensor.ShapeLength()))


def _transposed(operator: Any) -> bool:
    """Whether a BATCH_MATMUL's first operand is stored with its last two axes the other way round."""
    from ai_edge_litert.schema_py_generated import BatchMatMulOptions

    table, options = operator.BuiltinOptions(), BatchMatMulOptions()
    if table is None:
        return False
    options.Init(table.Bytes, table.Pos)
    return bool(options.AdjX())
