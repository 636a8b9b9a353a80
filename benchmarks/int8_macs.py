"""How much of a file's arithmetic is int8: multiply-accumulates of convolutions and matrix products at batch 1."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from verify.runners.tflite_file import dtype_of, open_model, tensor_map
from verify.runners.tflite_inspect import opcode_names


def int8_mac_share(path: Path) -> float | None:
    """Of all multiply-accumulates, those whose result is stored as int8; ``None`` for a file without any."""
    with open_model(path) as model:
        names, graph = opcode_names(model), model.Subgraphs(tensor_map(model).subgraph)
        counted = [
            (_macs(names[each.OpcodeIndex()], graph, each), dtype_of(graph.Tensors(each.Outputs(0))) == "int8")
            for each in map(graph.Operators, range(graph.OperatorsLength()))
        ]
    total = sum(macs for macs, _ in counted)
    return sum(macs for macs, is_int8 in counted if is_int8) / total if total else None


def _macs(name: str, graph: Any, operator: Any) -> int:
    def shape(index: int) -> list[int]:
        tensor = graph.Tensors(operator.Inputs(index))
        return [tensor.Shape(axis) for axis in range(tensor.ShapeLength())]

    output = graph.Tensors(operator.Outputs(0))
    made = math.prod(output.Shape(axis) for axis in range(output.ShapeLength()))
    if name == "CONV_2D":
        return made * math.prod(shape(1)[1:])
    if name == "DEPTHWISE_CONV_2D":
        return made * math.prod(shape(1)[1:3])
    if name == "FULLY_CONNECTED":
        return made * shape(1)[1]
    if name == "TRANSPOSE_CONV":
        return math.prod(shape(2)) * math.prod(shape(1)[:3])
    if name == "BATCH_MATMUL":
        return made * shape(0)[-2 if _transposed(operator) else -1]
    return 0


def _transposed(operator: Any) -> bool:
    """Whether a BATCH_MATMUL's first operand is stored with its last two axes the other way round."""
    from ai_edge_litert.schema_py_generated import BatchMatMulOptions

    table, options = operator.BuiltinOptions(), BatchMatMulOptions()
    if table is None:
        return False
    options.Init(table.Bytes, table.Pos)
    return bool(options.AdjX())
