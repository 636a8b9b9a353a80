"""Channels of an activation moved towards zero, so that together they need a narrower range.

A layer's bias gives the move, and the biases of those who read the result take it back: W (x - m) + (b + W m). The
channel-wise shifting of Outlier Suppression+ (2304.09145, section 4.1) without an op of its own: sums, concatenations
and pools let a move pass, an activation function or zeros around an image do not. The tail that SiLU, hard-swish and
GELU have below zero needs none: an int8 range has a zero point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from quantize.correction.decisions import MovedBias
from quantize.correction.layers import as_columns
from quantize.correction.patches import packed
from quantize.correction.stepped_model import SteppedModel
from quantize.correction.unpacked import Weighted, buffer_readers, weighted_op
from verify.runners.base import Batch
from verify.stepping.contents import Array, constant, name_of, name_of_op
from verify.stepping.part import Values

_SHARE = 0.9
"""Of samples that the range to be centred holds."""

_POOLS = frozenset({"MAX_POOL_2D", "AVERAGE_POOL_2D"})
"""They count no padding."""


def shift(model: Path, samples: Sequence[Batch]) -> tuple[MovedBias, ...]:
    """What to add to the biases of a float file, each of them one layer's own."""
    centres: dict[int, Array] = {}

    def watch(tensor: int, values: list[Values]) -> None:
        if tensor in sources:
            centres[tensor] = _centre(values)

    run = SteppedModel(model, samples, watch)
    flow = _Flow(run.model, run.graph)
    sources = {layer.output: layer for layer in flow.layers if _moves(flow, layer)}
    if not sources:
        return ()
    run.stepper.finish()
    biases = {each.bias: -centres[at] for at, each in sources.items()}
    moved = _moved(flow, centres)
    for layer in flow.layers:
        if layer.input in moved:
            taken_back = _through(run.model, run.graph, layer, moved[layer.input])
            biases[layer.bias] = biases.get(layer.bias, 0) + taken_back
    return tuple(
        MovedBias(name_of(run.graph.tensors[at]), packed(by.astype(np.float32))) for at, by in sorted(biases.items())
    )


@dataclass
class _Flow:
    """Who reads each tensor of a subgraph, and its layers."""

    model: Any
    graph: Any
    layers: list[Weighted] = field(default_factory=list)
    readers: dict[int, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = buffer_readers(self.graph)
        for operator in self.graph.operators:
            for at in map(int, operator.inputs):
                self.readers.setdefault(at, []).append(operator)
            found = weighted_op(self.model, self.graph, operator, counts)
            if found is not None and not found.shared and found.bias >= 0:
                self.layers.append(found)

    def takes_back(self, operator: Any, tensor: int) -> bool:
        """Whether an op is a layer whose bias can undo a move of what enters it."""
        layer = next((each for each in self.layers if each.operator is operator), None)
        if layer is None or layer.input != tensor:
            return False
        return layer.kind == "FULLY_CONNECTED" or self._is_unpadded(layer)

    def _is_unpadded(self, layer: Weighted) -> bool:
        from ai_edge_litert.schema_py_generated import Padding

        kernel = [int(size) for size in self.graph.tensors[layer.weights].shape[1:3]]
        return kernel == [1, 1] or layer.operator.builtinOptions.padding == Padding.VALID

    def lets_pass(self, operator: Any) -> bool:
        """Whether a move of an op's input is one of its output."""
        name, options = name_of_op(self.model, operator), operator.builtinOptions
        if getattr(options, "fusedActivationFunction", 0):
            return False
        shapes = [self.graph.tensors[int(at)].shape for at in (operator.inputs[0], operator.outputs[0])]
        if name == "CONCATENATION":
            return bool(options.axis % len(shapes[1]) == len(shapes[1]) - 1)
        if name == "ADD":
            inputs = [self.graph.tensors[int(at)] for at in operator.inputs]
            return all(list(each.shape) == list(shapes[1]) for each in inputs)
        return name in _POOLS


def _moves(flow: _Flow, layer: Weighted) -> bool:
    """Whether all that a layer's result comes to takes a move of it back, or lets it pass on to one that does."""
    if getattr(layer.operator.builtinOptions, "fusedActivationFunction", 0):
        return False
    waiting, seen = [layer.output], {layer.output}
    given = set(map(int, flow.graph.outputs))
    while waiting:
        at = waiting.pop()
        readers = flow.readers.get(at, [])
        if at in given or not readers or len(flow.graph.tensors[at].shape) < 2:
            return False
        for operator in readers:
            if flow.takes_back(operator, at):
                continue
            if not flow.lets_pass(operator):
                return False
            after = int(operator.outputs[0])
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return True


def _moved(flow: _Flow, centres: dict[int, Array]) -> dict[int, Array]:
    """By how much each tensor is smaller than it was, a number a channel."""
    moved = dict(centres)
    for operator in flow.graph.operators:
        parts, whole = list(map(int, operator.inputs)), int(operator.outputs[0])
        if not moved.keys() & set(parts) or not flow.lets_pass(operator):
            continue
        widths = [int(flow.graph.tensors[at].shape[-1]) for at in parts]
        known = [moved.get(at, np.zeros(width)) for at, width in zip(parts, widths, strict=True)]
        joined = name_of_op(flow.model, operator) == "CONCATENATION"
        moved[whole] = np.concatenate(known) if joined else np.sum(known, axis=0)
    return moved


def _through(model: Any, graph: Any, layer: Weighted, move: Array) -> Array:
    """What a layer gives for the move alone."""
    weights = constant(model, graph, layer.weights)
    assert weights is not None
    columns = as_columns(layer, weights).astype(np.float64)
    entering = move.reshape(len(columns), 1, -1)
    places = columns.shape[1] // entering.shape[2]
    return (np.tile(entering, (1, 1, places)) @ columns).reshape(-1)


def _centre(values: list[Values]) -> Array:
    flat = [each.reshape(-1, each.shape[-1]).astype(np.float64) for each in values]
    low = np.quantile([each.min(axis=0) for each in flat], 1 - _SHARE, axis=0)
    high = np.quantile([each.max(axis=0) for each in flat], _SHARE, axis=0)
    centre: Array = (low + high) / 2
    return centre
