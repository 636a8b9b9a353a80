"""Channels that are joined, shuffled and split → parts that go straight to where they are read; weights reordered.

Between its sources (convolutions) and its readers (convolutions too), a ShuffleNet only joins, shuffles and splits
channels. Which source channel a reader gets in which place is known now. So every source gives its channels in the
order of who reads them (its weights' output channels reordered) and is split once; a reader gets its parts joined, and
takes them in that order (its weights' input channels reordered). Nothing is shuffled any more.

Exact: the same products, summed in another order. Declined, for a whole cluster, where a source or a reader is none
whose order is free. ShuffleNetV2 asked for it (https://arxiv.org/abs/1807.11164, figure 3): moving channels was a fifth
of the time of x0.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.channel_order import gives_any_order, reorder_readers, reorder_source, take_any_order
from convert.rewrites.channel_routes import Channel, Routes, trace_routes
from convert.rewrites.graph import new_constant, remove_unused, sizes
from convert.rewrites.note import RewriteNote

NAME = "channel_shuffle"
MOST_JOINED = 5
"""XNNPACK takes a CONCATENATION of no more, and what it does not take cuts the file into two delegates."""


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Reroute every cluster of sources and readers that has a shuffle in it."""
    notes = []
    for cluster in _clusters(trace_routes(model.graph)):
        subject = describe(cluster.shuffles[0])
        reason = _obstacle(cluster)
        if reason is None:
            _reroute(cluster)
            reason = f"{len(cluster.shuffles)} shuffles are in the weights of {len(cluster.sources)} convolutions"
            notes.append(RewriteNote(NAME, subject, True, reason))
        else:
            notes.append(RewriteNote(NAME, subject, False, reason))
    if any(note.applied for note in notes):
        remove_unused(model)
    return tuple(notes)


@dataclass(frozen=True)
class _Cluster:
    sources: tuple[ir.Value, ...]
    reads: dict[ir.Value, tuple[Channel, ...]]
    """What is read by nodes that do not only move channels."""
    shuffles: tuple[ir.Node, ...]
    movers: frozenset[ir.Node]


def _clusters(routes: Routes) -> Iterator[_Cluster]:
    """Sources and what is read of them, those together that share a channel, if a shuffle is among them."""
    reads = {
        value: channels
        for value, channels in routes.of.items()
        if channels and (value.is_graph_output() or any(use.node not in routes.movers for use in value.uses()))
    }
    groups: list[set[ir.Value]] = []
    for channels in routes.of.values():
        joined = {source for source, _ in channels}
        touching = [group for group in groups if group & joined]
        groups = [group for group in groups if not group & joined] + [joined.union(*touching)]
    for group in groups:
        shuffles = [node for value, node in routes.shuffles.items() if _source_of(routes.of[value]) in group]
        if shuffles:
            read = {value: channels for value, channels in reads.items() if _source_of(channels) in group}
            ordered = tuple(dict.fromkeys(source for channels in read.values() for source, _ in channels))
            yield _Cluster(ordered, read, tuple(shuffles), frozenset(routes.movers))


def _source_of(channels: tuple[Channel, ...]) -> ir.Value | None:
    return channels[0][0] if channels else None


def _obstacle(cluster: _Cluster) -> str | None:
    for source in cluster.sources:
        others = [use.node for use in source.uses() if use.node not in cluster.movers]
        if others or gives_any_order(source) is None:
            return f"{source.name!r} is not given by a convolution alone, whose order of channels is free"
    for value, channels in cluster.reads.items():
        if any(use.node in cluster.movers for use in value.uses()) or not take_any_order(value):
            return f"{value.name!r} is read by more than convolutions, whose order of channels is free"
        if len(set(channels)) < len(channels):
            return f"{value.name!r} has a channel twice"
    return None


@dataclass(frozen=True)
class _Part:
    """Channels of one source that are read together, as a value of their own."""

    value: ir.Value
    channels: tuple[Channel, ...]
    readers: tuple[ir.Value, ...]


def _reroute(cluster: _Cluster) -> None:
    parts = [part for source in cluster.sources for part in _parts(cluster, source)]
    for value, channels in cluster.reads.items():
        mine = sorted((part for part in parts if value in part.readers), key=lambda part: len(part.channels))
        places = {channel: place for place, channel in enumerate(channels)}
        reorder_readers(value, [places[channel] for part in mine for channel in part.channels])
        value.replace_all_uses_with(_joined(value, [part.value for part in mine]))


def _parts(cluster: _Cluster, source: ir.Value) -> list[_Part]:
    """The source split into what is read together, its channels in that order."""
    readers: dict[Channel, list[ir.Value]] = {(source, place): [] for place in range(_width(source))}
    for value, channels in cluster.reads.items():
        for channel in channels:
            if channel[0] is source:
                readers[channel].append(value)
    groups: dict[tuple[ir.Value, ...], list[Channel]] = {}
    for channel, values in readers.items():
        groups.setdefault(tuple(values), []).append(channel)
    conv = gives_any_order(source)
    assert conv is not None
    reorder_source(conv, [place for channels in groups.values() for _, place in channels])
    values = [source] if len(groups) == 1 else _split(source, [len(channels) for channels in groups.values()])
    made = zip(values, groups.items(), strict=True)
    return [_Part(value, tuple(channels), read_by) for value, (read_by, channels) in made]


def _split(source: ir.Value, counts: list[int]) -> list[ir.Value]:
    node, shape = source.producer(), source.shape
    assert node is not None
    assert node.graph is not None
    assert shape is not None
    given = new_constant(node, np.array(counts, np.int64), "parts")
    made = ir.node("Split", [source, given], {"axis": 1}, num_outputs=len(counts))
    made.metadata_props.update(node.metadata_props)
    for index, (output, count) in enumerate(zip(made.outputs, counts, strict=True)):
        output.name, output.type = f"{source.name}.part{index}", source.type
        output.shape = ir.Shape([shape[0], count, *shape[2:]])
    node.graph.insert_after(node, made)
    return list(made.outputs)


def _joined(value: ir.Value, parts: list[ir.Value]) -> ir.Value:
    """The parts as one; the first, smallest ones before the others, where they are more than the delegate joins."""
    many = len(parts) - MOST_JOINED + 1
    if many > 1:
        parts = [_joined(value, parts[:many]), *parts[many:]]
    return parts[0] if len(parts) == 1 else _concat(value, parts)


def _concat(value: ir.Value, parts: list[ir.Value]) -> ir.Value:
    node, shape = value.producer(), value.shape
    assert node is not None
    assert node.graph is not None
    assert shape is not None
    made = ir.node("Concat", parts, {"axis": 1})
    made.metadata_props.update(node.metadata_props)
    width = sum(_width(part) for part in parts)
    output = made.outputs[0]
    output.name, output.type = f"{value.name}.joined{width}", value.type
    output.shape = ir.Shape([shape[0], width, *shape[2:]])
    node.graph.insert_before(node, made)
    return output


def _width(value: ir.Value) -> int:
    """How many channels; routes are made of values of which that is known."""
    width = (sizes(value) or (None, None))[1]
    assert width is not None
    return width
