"""Second operands of BATCH_MATMUL are stored around zero: XNNPACK's int8 kernel leaves their zero point out.

LiteRT's own kernel takes it into account, XNNPACK (LiteRT 2.1.0) adds zero point × the sum of the first operand's row
to every result: attention that has 30 dB without it has 17 dB with it. A zero point of 0 costs a part of a bit, and
only of tensors that are not centred anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from quantize.recipe import TensorRange
from verify.runners.tflite_file import open_model, tensor_map
from verify.runners.tflite_inspect import opcode_names

_SECOND = 1

_SAME_SCALE = frozenset(
    {
        *("RESHAPE", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V", "EXPAND_DIMS", "SQUEEZE", "GATHER"),
        *("GATHER_ND", "CONCATENATION", "PACK", "UNPACK", "PAD", "BROADCAST_TO", "TILE", "REVERSE_V2"),
    }
)
"""Ops whose results are stored as their inputs are."""


def symmetric_operands(model: Path, ranges: Collection[TensorRange]) -> tuple[TensorRange, ...]:
    """The ranges, those that second operands of BATCH_MATMUL are stored by widened to be symmetric."""
    with open_model(model) as opened:
        graph = opened.Subgraphs(tensor_map(opened).subgraph)
        symmetric = {graph.Tensors(at).Name().decode() for at in _second_operands(opened, graph)}
    return tuple(_around_zero(each) if each.tensor in symmetric else each for each in ranges)


def _second_operands(model: Any, graph: Any) -> Iterator[int]:
    """Their tensor indices, and those of what they are copies or parts of."""
    names = opcode_names(model)
    operators = list(map(graph.Operators, range(graph.OperatorsLength())))
    producers = {each.Outputs(index): each for each in operators for index in range(each.OutputsLength())}
    waiting = [each.Inputs(_SECOND) for each in operators if names[each.OpcodeIndex()] == "BATCH_MATMUL"]
    found: set[int] = set()
    while waiting:
        at = waiting.pop()
        if at in found:
            continue
        found.add(at)
        yield at
        producer = producers.get(at)
        if producer is not None and names[producer.OpcodeIndex()] in _SAME_SCALE:
            waiting += [producer.Inputs(index) for index in range(producer.InputsLength())]


def _around_zero(each: TensorRange) -> TensorRange:
    bound = max(-each.low, each.high)
    return TensorRange(each.tensor, -bound, bound)
