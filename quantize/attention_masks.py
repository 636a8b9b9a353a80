"""Masks over attention's scores: minus infinity (in a file -3.4e38, or -10000) where a query may not look.

Stored as int8 over their own range, one step of such a mask is 1e36: LiteRT aborts on the file, or every score is 0.
What a mask is for is that softmax gives 0 there, and an int8 softmax gives 0 from ``MARGIN`` below a row's largest
score. So what is hidden gets room for just that much, and what holds it room below the smallest score.

Three forms are known: a constant that is added (causal masks), a product with such a constant that is added (BERT's
``(1 - mask) * -3.4e38``), and a choice between the scores and such a constant (``masked_fill``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from quantize.calibration.readout import PADDING_LIMIT
from quantize.constants import float_constant
from quantize.recipe import TensorRange
from verify.runners.tflite_file import open_model, tensor_map
from verify.runners.tflite_inspect import opcode_names

MARGIN = 8.0
"""exp(-8) is under a tenth of an int8 softmax's step, 1/256."""

HIDDEN = -1e3
"""Below it, what goes into a softmax is meant to come out as 0: exp(-1000) is 0 in float32 too."""

_MOVING = frozenset(
    {"RESHAPE", "TRANSPOSE", "EXPAND_DIMS", "SQUEEZE", "BROADCAST_TO", "TILE", "SLICE", "STRIDED_SLICE"}
)
_CHOICES = frozenset({"SELECT", "SELECT_V2"})


@dataclass(frozen=True)
class AttentionMask:
    """What stores minus infinity, and every range that is to be other than its values': the sum's comes last."""

    hidden: str
    low: float
    ranges: tuple[TensorRange, ...]


@dataclass(frozen=True)
class _Mask:
    """Tensors that hold a mask, innermost first, and the smallest and largest of what they hold but hidden."""

    tensors: tuple[str, ...]
    low: float
    high: float


def attention_masks(model: Path, ranges: Collection[TensorRange]) -> tuple[AttentionMask, ...]:
    """The masks of a float file, given what its activations' values were; usually none.

    A mask that several sums share gets the widest of what they need.
    """
    with open_model(model) as opened:
        graph = _Graph(opened, {each.tensor: each for each in ranges})
        found = [*_sums(graph), *_choices(graph)]
    lowest: dict[str, float] = {}
    for each in found:
        lowest[each.hidden] = min(each.low, lowest.get(each.hidden, each.low))
    return tuple(_reaching(each, lowest[each.hidden]) for each in found)


def _reaching(mask: AttentionMask, low: float) -> AttentionMask:
    """With the mask's own tensors, all but the last, down to ``low``."""
    *own, total = mask.ranges
    return AttentionMask(mask.hidden, low, (*(replace(each, low=low) for each in own), total))


class _Graph:
    """The main subgraph of an open model, and what was seen of its tensors."""

    def __init__(self, model: Any, seen: dict[str, TensorRange]) -> None:
        self.model, self._seen = model, seen
        self._graph = model.Subgraphs(tensor_map(model).subgraph)
        names = opcode_names(model)
        found = map(self._graph.Operators, range(self._graph.OperatorsLength()))
        self.operators = [(names[each.OpcodeIndex()], each) for each in found]
        self.makers = {
            each.Outputs(at): (op, each) for op, each in self.operators for at in range(each.OutputsLength())
        }
        self.readers: dict[int, list[tuple[str, Any]]] = {}
        for op, each in self.operators:
            for at in range(each.InputsLength()):
                self.readers.setdefault(each.Inputs(at), []).append((op, each))

    def name(self, at: int) -> str:
        return str(self._graph.Tensors(at).Name(), "utf-8")

    def seen(self, at: int) -> TensorRange | None:
        """What a tensor's values were, hidden ones too where they are no padding; constants' own values."""
        numbers = float_constant(self.model, self._graph, at)
        if numbers is not None and numbers.size:
            return TensorRange(self.name(at), float(numbers.min()), float(numbers.max()))
        return self._seen.get(self.name(at))

    def constant_mask(self, at: int) -> _Mask | None:
        numbers = float_constant(self.model, self._graph, at)
        if numbers is None or not (numbers <= HIDDEN).any():
            return None
        shown = numbers[numbers > HIDDEN]
        return _Mask((self.name(at),), float(np.min(shown, initial=0.0)), float(np.max(shown, initial=0.0)))

    def is_padding(self, at: int) -> bool:
        """Whether a constant holds minus infinity, so that it is a mask wherever it goes."""
        numbers = float_constant(self.model, self._graph, at)
        return numbers is not None and bool((numbers <= -PADDING_LIMIT).any())

    def feeds_softmax(self, at: int) -> bool:
        """Whether everything that reads a tensor is a softmax, what only moves it in between or not."""
        readers = self.readers.get(at, [])
        return bool(readers) and all(
            op == "SOFTMAX" or (op in _MOVING and self.feeds_softmax(each.Outputs(0))) for op, each in readers
        )


def _sums(graph: _Graph) -> Iterator[AttentionMask]:
    for op, operator in graph.operators:
        if op != "ADD":
            continue
        for index in (0, 1):
            at, scores, total = operator.Inputs(index), operator.Inputs(1 - index), operator.Outputs(0)
            mask, shown = _mask(graph, at), graph.seen(total)
            if mask is None or shown is None or not (graph.is_padding(at) or graph.feeds_softmax(total)):
                continue
            if shown.low <= HIDDEN or len(mask.tensors) > 1:
                apart = graph.seen(scores)
                if apart is None or apart.low <= HIDDEN:
                    continue
                shown = TensorRange(shown.tensor, apart.low + mask.low, apart.high + mask.high)
            low = mask.low - (shown.high - shown.low) - MARGIN
            own = tuple(TensorRange(name, low, mask.high) for name in mask.tensors)
            yield AttentionMask(mask.tensors[0], low, (*own, replace(shown, low=shown.low - MARGIN)))


def _choices(graph: _Graph) -> Iterator[AttentionMask]:
    """The scores or minus infinity: stored in the scale of the result, so that only that needs another range."""
    for op, operator in graph.operators:
        if op not in _CHOICES or not graph.feeds_softmax(operator.Outputs(0)):
            continue
        for index in (1, 2):
            hidden, scores = graph.constant_mask(operator.Inputs(index)), graph.seen(operator.Inputs(3 - index))
            if hidden is not None and scores is not None and scores.low > HIDDEN:
                low = scores.low - MARGIN
                result = TensorRange(graph.name(operator.Outputs(0)), low, scores.high)
                yield AttentionMask(hidden.tensors[0], low, (result,))


def _mask(graph: _Graph, at: int) -> _Mask | None:
    """A constant mask, or a product of a constant that hides and something from 0 to 1, moved about or not."""
    constant = graph.constant_mask(at)
    if constant is not None or at not in graph.makers:
        return constant
    op, operator = graph.makers[at]
    if op in _MOVING:
        inner = _mask(graph, operator.Inputs(0))
        return None if inner is None else replace(inner, tensors=(*inner.tensors, graph.name(at)))
    return _product(graph, operator) if op == "MUL" else None


def _product(graph: _Graph, operator: Any) -> _Mask | None:
    """Something from 0 to 1 times a constant that hides all of it: BERT's mask, 1 where nobody may look."""
    for index in (0, 1):
        at, share = operator.Inputs(index), graph.seen(operator.Inputs(1 - index))
        factor = graph.seen(at) if graph.constant_mask(at) else None
        if factor is not None and factor.high <= HIDDEN and share is not None and 0 <= share.low <= share.high <= 1:
            return _Mask((graph.name(at), graph.name(operator.Outputs(0))), 0.0, 0.0)
    return None
