"""Which channel of which layer every channel is, through joins, splits and shuffles of channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import numpy as np
import onnx_ir as ir

from convert.rewrites.graph import integer, ints, sizes, sole_user

Channel = tuple[ir.Value, int]
"""A value that no join, split or shuffle gives, and one of its channels."""


@dataclass
class Routes:
    """What is known of the channels of a graph."""

    of: dict[ir.Value, tuple[Channel, ...]] = field(default_factory=dict)
    """Each value that joins, splits and shuffles give: where its channels come from."""
    movers: set[ir.Node] = field(default_factory=set)
    """The nodes that only move channels."""
    shuffles: dict[ir.Value, ir.Node] = field(default_factory=dict)
    """What is shuffled, and the last node of the shuffle."""

    def channels(self, value: ir.Value) -> tuple[Channel, ...] | None:
        """Where a value's channels come from, itself if no mover gives it; ``None`` if unknown."""
        if value in self.of:
            return self.of[value]
        shape = sizes(value)
        count = shape[1] if shape is not None and len(shape) == 4 else None
        return None if count is None else tuple((value, channel) for channel in range(count))


def trace_routes(graph: ir.Graph) -> Routes:
    """Follow the channels of every image-like value of a graph."""
    routes = Routes()
    for node in graph:
        if node.domain not in ("", "ai.onnx"):
            continue
        if node.op_type == "Concat":
            _join(routes, node)
        elif node.op_type == "Split":
            _split(routes, node)
        elif node.op_type == "Reshape":
            _shuffle(routes, node)
    return routes


def _join(routes: Routes, node: ir.Node) -> None:
    parts = [None if value is None else routes.channels(value) for value in node.inputs]
    rank = len(sizes(node.outputs[0]) or ())
    if rank == 4 and integer(node, "axis", 0) % rank == 1 and None not in parts:
        routes.of[node.outputs[0]] = tuple(channel for part in parts for channel in part or ())
        routes.movers.add(node)


def _split(routes: Routes, node: ir.Node) -> None:
    source = node.inputs[0]
    channels = None if source is None else routes.channels(source)
    if channels is None or integer(node, "axis", 0) not in (1, -3):
        return
    parts = [routes.channels(output) for output in node.outputs]
    if None in parts:
        return
    edges = accumulate((len(part or ()) for part in parts), initial=0)
    for output, (start, end) in zip(node.outputs, pairwise(edges), strict=True):
        routes.of[output] = channels[start:end]
    routes.movers.add(node)


def _shuffle(routes: Routes, last: ir.Node) -> None:
    """``(N, C, H, W)`` as ``(N, g, C / g, H, W)``, g and C / g swapped, as ``(N, C, H, W)`` again."""
    swap = _sole_producer(last, "Transpose")
    first = None if swap is None else _sole_producer(swap, "Reshape")
    source = None if first is None else first.inputs[0]
    if swap is None or first is None or source is None or ints(swap, "perm", ()) != (0, 2, 1, 3, 4):
        return
    channels, before, cut, after = (routes.channels(source), *map(sizes, (source, first.outputs[0], last.outputs[0])))
    if channels is None or before is None or cut is None or before != after or None in before[1:] or None in cut[1:]:
        return
    if cut[3:] != before[2:] or len(cut) != 5:
        return
    places = np.arange(len(channels)).reshape(-1, cut[2] or 1).T.reshape(-1)
    routes.of[last.outputs[0]] = tuple(channels[place] for place in places)
    routes.movers |= {first, swap, last}
    routes.shuffles[last.outputs[0]] = last


def _sole_producer(node: ir.Node, op_type: str) -> ir.Node | None:
    source = node.inputs[0]
    producer = None if source is None or sole_user(source) is not node else source.producer()
    return producer if producer is not None and producer.op_type == op_type else None
