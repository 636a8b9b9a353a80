"""Masks that are added to scores: 0 where a query may look, minus infinity (in a file -3.4e38) where it may not.

Stored as int8 over their own range, one step of such a mask is 1e36: LiteRT aborts on the file, or every score is 0.
What a mask is for is that softmax gives 0 there, and an int8 softmax gives 0 from ``MARGIN`` below a row's largest
score. So the mask gets room for just that much, and the sum room below its smallest score.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quantize.calibration.observe import PADDING_LIMIT
from quantize.constants import float_constant
from quantize.recipe import TensorRange
from verify.runners.tflite_file import open_model, tensor_map
from verify.runners.tflite_inspect import opcode_names

MARGIN = 8.0
"""exp(-8) is under a tenth of an int8 softmax's step, 1/256."""

_ADDENDS = 2


@dataclass(frozen=True)
class AdditiveMask:
    """A constant with minus infinity in it, the sum it is a part of, and the range that each is to have instead."""

    constant: TensorRange
    sum: TensorRange


def additive_masks(model: Path, ranges: Collection[TensorRange]) -> tuple[AdditiveMask, ...]:
    """The masks of a float file, given what its activations' values were; usually none.

    A mask that several sums share gets the widest of what they need.
    """
    seen = {each.tensor: each for each in ranges}
    found: dict[str, AdditiveMask] = {}
    lowest: dict[str, TensorRange] = {}
    with open_model(model) as opened:
        graph = opened.Subgraphs(tensor_map(opened).subgraph)
        for mask, total in _sums(opened, graph):
            name, scores = graph.Tensors(mask).Name().decode(), seen.get(graph.Tensors(total).Name().decode())
            finite = _finite_range(opened, graph, mask)
            if scores is None or finite is None:
                continue
            low, high = finite
            reach = TensorRange(name, low - (scores.high - scores.low) - MARGIN, high)
            if name not in lowest or reach.low < lowest[name].low:
                lowest[name] = reach
            found[scores.tensor] = AdditiveMask(reach, TensorRange(scores.tensor, scores.low - MARGIN, scores.high))
    return tuple(AdditiveMask(lowest[mask.constant.tensor], mask.sum) for mask in found.values())


def _sums(model: Any, graph: Any) -> Iterator[tuple[int, int]]:
    """Each addend of each ADD, and its sum, as tensor indices."""
    names = opcode_names(model)
    for operator in map(graph.Operators, range(graph.OperatorsLength())):
        if names[operator.OpcodeIndex()] == "ADD":
            for index in range(_ADDENDS):
                yield operator.Inputs(index), operator.Outputs(0)


def _finite_range(model: Any, graph: Any, at: int) -> tuple[float, float] | None:
    """The smallest and largest value of a mask but minus infinity, 0 among them; ``None`` if it is no mask."""
    constant = float_constant(model, graph, at)
    if constant is None or not (constant <= -PADDING_LIMIT).any():
        return None
    finite = constant[constant > -PADDING_LIMIT]
    return float(np.min(finite, initial=0.0)), float(np.max(finite, initial=0.0))
