"""How much of a file's arithmetic is int8: multiply-accumulates of convolutions and matrix products at batch 1."""

from __future__ import annotations

from pathlib import Path

from verify.runners.tflite_file import dtype_of, open_model, tensor_map
from verify.runners.tflite_inspect import opcode_names
from verify.runners.tflite_macs import operator_macs


def int8_mac_share(path: Path) -> float | None:
    """Of all multiply-accumulates, those whose result is stored as int8; ``None`` for a file without any."""
    with open_model(path) as model:
        names, graph = opcode_names(model), model.Subgraphs(tensor_map(model).subgraph)
        counted = [
            (operator_macs(names[each.OpcodeIndex()], graph, each), dtype_of(graph.Tensors(each.Outputs(0))) == "int8")
            for each in map(graph.Operators, range(graph.OperatorsLength()))
        ]
    total = sum(macs for macs, _ in counted)
    return sum(macs for macs, is_int8 in counted if is_int8) / total if total else None
