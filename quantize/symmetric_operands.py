"""Operands that are stored around zero, because a kernel of LiteRT 2.1.0 takes no other zero point into account.

- Second operands of BATCH_MATMUL: XNNPACK adds zero point × the sum of the first operand's row to every result;
  attention that has 30 dB without it has 17 dB with it. LiteRT's own kernel is right.
- What MATRIX_DIAG and SCATTER_ND put among zeros: they write a stored 0, which means 0 at a zero point of 0 only.

A zero point of 0 costs a part of a bit, and only of tensors that are not centred anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from quantize.recipe import TensorRange
from verify.runners.tflite_file import open_model, tensor_map
from verify.runners.tflite_inspect import opcode_names

_OPERAND = {"BATCH_MATMUL": 1, "MATRIX_DIAG": 0, "SCATTER_ND": 1}
"""Which input is meant."""

_SAME_SCALE = frozenset(
    {
        *("RESHAPE", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V", "EXPAND_DIMS", "SQUEEZE", "GATHER"),
        *("GATHER_ND", "CONCATENATION", "PACK", "UNPACK", "PAD", "BROADCAST_TO", "TILE", "REVERSE_V2"),
        *(
            "DEPTH_TO_SPACE",
            "SPACE_TO_DEPTH",
            "MAX_POOL_2D",
            "REDUCE_MAX",
            "RESIZE_NEAREST_NEIGHBOR",
            "RESIZE_BILINEAR",
        ),
    }
)
"""Ops whose results are stored as their inputs are."""


def symmetric_operands(model: Path, ranges: Collection[TensorRange]) -> tuple[TensorRange, ...]:
    """The ranges, those that such operands are stored by widened to be symmetric."""
    with open_model(model) as opened:
        graph = opened.Subgraphs(tensor_map(opened).subgraph)
        symmetric = {graph.Tensors(at).Name().decode() for at in _operands(opened, graph)}
    return tuple(_around_zero(each) if each.tensor in symmetric else each for each in ranges)


def _operands(model: Any, graph: Any) -> Iterator[int]:
    """Their tensor indices, and those of what they are copies or parts of."""
    names = opcode_names(model)
    operators = list(map(graph.Operators, range(graph.OperatorsLength())))
    producers = {each.Outputs(index): each for each in operators for index in range(each.OutputsLength())}
    waiting = [
        each.Inputs(_OPERAND[names[each.OpcodeIndex()]]) for each in operators if names[each.OpcodeIndex()] in _OPERAND
    ]
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
    """-128 to 127 steps: from -127.5 the zero point would be -0.5, and rounding to -1 or 0 a matter of luck."""
    bound = max(-each.low, each.high)
    return TensorRange(each.tensor, -bound * 128 / 127, bound)
