"""The grids that the outputs of a ``.tflite`` file lie on: of quantized outputs, and of those made real at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from verify.runners.tflite_file import dtype_of, open_model, tensor_map
from verify.runners.tflite_inspect import opcode_names
from verify.tallies.grid import OutputGrid

_CODES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}
_KEEP_VALUES = frozenset({"DEQUANTIZE", "RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS"})


def output_grids(path: Path) -> tuple[OutputGrid, ...]:
    """One for each output that has a grid, under the output's name; raises ``ModelUnreadable``.

    A float output that is a DEQUANTIZE of integers, rearranged or not, lies on the grid of those.
    """
    with open_model(path) as model:
        names, codes = tensor_map(model), opcode_names(model)
        graph = model.Subgraphs(names.subgraph)
        sources = _sources(graph, codes)
        found = ((name, _grid_tensor(graph, at, sources)) for name, at in names.outputs)
        return tuple(_grid(name, tensor) for name, tensor in found if tensor is not None)


def _sources(graph: Any, codes: list[str]) -> dict[int, int]:
    """Of each tensor that an op only makes real or rearranges: the tensor that it comes from."""
    operators = (graph.Operators(index) for index in range(graph.OperatorsLength()))
    return {
        int(operator.Outputs(0)): int(operator.Inputs(0))
        for operator in operators
        if codes[operator.OpcodeIndex()] in _KEEP_VALUES and operator.OutputsLength() == 1
    }


def _grid_tensor(graph: Any, at: int, sources: dict[int, int]) -> Any | None:
    while True:
        tensor = graph.Tensors(at)
        if dtype_of(tensor) in _CODES and (parameters := tensor.Quantization()) is not None:
            return tensor if parameters.ScaleLength() == 1 else None
        if at not in sources:
            return None
        at = sources[at]


def _grid(name: str, tensor: Any) -> OutputGrid:
    parameters = tensor.Quantization()
    zero_point = int(parameters.ZeroPoint(0)) if parameters.ZeroPointLength() else 0
    return OutputGrid(name, float(parameters.Scale(0)), zero_point, *_CODES[dtype_of(tensor)])
