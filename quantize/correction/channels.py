"""Which channels of a float model may be scaled together without changing what it computes.

A convolution's weights take up any factor of its input and output channels. What lies between two of them lets a
positive factor pass if f(s x) = s f(x): ReLU, pooling, residual sums (1906.04721, equation 6). Channels that such ops
tie together are one class; a class that meets anything else (a sigmoid, ReLU6, an input or output of the model) is
fixed. Channels run along a tensor's last axis.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from quantize.correction.unpacked import Weighted, buffer_readers, weighted_op
from verify.stepping.contents import constant, name_of_op

Ids = npt.NDArray[np.int64]

_PASSING = frozenset(
    {
        *("RELU", "LEAKY_RELU", "PRELU", "MAX_POOL_2D", "AVERAGE_POOL_2D", "RESIZE_BILINEAR"),
        *("RESIZE_NEAREST_NEIGHBOR", "ABS", "NEG"),
    }
)
"""Ops with f(s x) = s f(x) for s > 0, channel by channel."""

_REDUCING = frozenset({"MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"})
_PADDING = frozenset({"PAD", "MIRROR_PAD"})


@dataclass
class Channels:
    """Classes of channels of one subgraph. ``of(tensor)`` gives one number a channel, the same within a class."""

    model: Any
    graph: Any
    weighted: list[Weighted] = field(default_factory=list)
    addends: list[tuple[int, int]] = field(default_factory=list)
    """Constants that are added to an activation, and the sum: they are scaled as it is."""
    multiplied: list[tuple[int, int, int]] = field(default_factory=list)
    """Activation, constant with a number a channel, and their product: the constant takes up factors of both."""
    concatenated: list[int] = field(default_factory=list)
    """What concatenations give."""
    summed: list[int] = field(default_factory=list)
    """What sums of activations give."""
    _first: dict[int, int] = field(default_factory=dict)
    _parent: list[int] = field(default_factory=lambda: [0])

    def __post_init__(self) -> None:
        self.readers = buffer_readers(self.graph)
        self._read_by: defaultdict[int, set[str]] = defaultdict(set)
        for op in self.graph.operators:
            for at in map(int, op.inputs):
                self._read_by[at].add(name_of_op(self.model, op))
        for at in map(int, self.graph.outputs):
            self._read_by[at].add("")
        self._makers = {int(at): name_of_op(self.model, op) for op in self.graph.operators for at in op.outputs}

    def of(self, tensor: int) -> Ids:
        """The class of each channel, 0 where it is fixed."""
        start = self._first[tensor]
        return np.array([self._root(start + index) for index in range(self.count(tensor))], np.int64)

    def count(self, tensor: int) -> int:
        shape = self.graph.tensors[tensor].shape
        return int(shape[-1]) if shape is not None and len(shape) > 1 else 0

    def made_by(self, tensor: int) -> str:
        """The name of the op that gives a tensor; empty for the model's inputs."""
        return self._makers.get(tensor, "")

    def is_only_concatenated(self, tensor: int) -> bool:
        """Whether nothing else reads it: it is stored at the scale of what the concatenation gives."""
        return self._read_by[tensor] == {"CONCATENATION"}

    def is_float_activation(self, tensor: int) -> bool:
        """Whether an op or the caller gives it, and it is real."""
        from ai_edge_litert.schema_py_generated import TensorType

        return tensor in self._first and self.graph.tensors[tensor].type == TensorType.FLOAT32

    def is_shared(self, constant: int) -> bool:
        """Whether more than one op reads it."""
        return self.readers[self.graph.tensors[constant].buffer] > 1

    @property
    def tensors(self) -> list[int]:
        """Activations that have channels."""
        return sorted(self._first)

    @property
    def size(self) -> int:
        return len(self._parent)

    def add(self, tensor: int) -> None:
        self._first[tensor] = len(self._parent)
        self._parent += range(len(self._parent), len(self._parent) + self.count(tensor))

    def fix(self, *tensors: int) -> None:
        """These keep the scale they have."""
        for tensor in tensors:
            for node in self._nodes(tensor):
                self._join(0, node)

    def tie(self, one: int, other: int) -> None:
        """Channel by channel, these have one scale; fixed if they do not correspond."""
        if self.count(one) != self.count(other) or not {one, other} <= self._first.keys():
            self.fix(one, other)
        for first, second in zip(self._nodes(one), self._nodes(other), strict=False):
            self._join(first, second)

    def tie_parts(self, parts: list[int], whole: int) -> None:
        """The channels of the parts, one part after the other, are those of the whole."""
        nodes = [node for part in parts for node in self._nodes(part)]
        if len(nodes) != self.count(whole):
            self.fix(*parts, whole)
        for first, second in zip(nodes, self._nodes(whole), strict=False):
            self._join(first, second)

    def tie_repeated(self, part: int, whole: int) -> None:
        """The channels of the whole are those of the part, again and again."""
        nodes = self._nodes(part)
        for at, node in enumerate(self._nodes(whole)):
            self._join(nodes[at % len(nodes)], node)

    def _nodes(self, tensor: int) -> range:
        start = self._first.get(tensor)
        return range(0) if start is None else range(start, start + self.count(tensor))

    def _root(self, node: int) -> int:
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def _join(self, one: int, other: int) -> None:
        low, high = sorted((self._root(one), self._root(other)))
        self._parent[high] = low


def scalable_channels(model: Any, subgraph: int) -> Channels:
    """Go through the ops of a subgraph once."""
    graph = model.subgraphs[subgraph]
    channels = Channels(model, graph)
    activations = {int(at) for at in graph.inputs} | {int(at) for op in graph.operators for at in op.outputs}
    for at in sorted(activations):
        channels.add(at)
    channels.fix(*map(int, graph.inputs), *map(int, graph.outputs))
    for operator in graph.operators:
        _rule(name_of_op(model, operator))(channels, operator)
    return channels


def _rule(name: str) -> Callable[[Channels, Any], None]:
    if name in _PASSING:
        return _pass
    return _RULES.get(name, _fix_all)


def _fix_all(channels: Channels, operator: Any) -> None:
    channels.fix(*map(int, operator.inputs), *map(int, operator.outputs))


def _pass(channels: Channels, operator: Any) -> None:
    """Sizes and shapes may be computed, slopes may not."""
    others = [int(at) for at in operator.inputs[1:]]
    channels.tie(int(operator.inputs[0]), int(operator.outputs[0]))
    if not _homogeneous(operator) or any(channels.is_float_activation(at) for at in others):
        channels.fix(int(operator.outputs[0]))


def _homogeneous(operator: Any) -> bool:
    from ai_edge_litert.schema_py_generated import ActivationFunctionType as Fused

    fused = getattr(operator.builtinOptions, "fusedActivationFunction", Fused.NONE)
    return fused in {Fused.NONE, Fused.RELU}


def _weighted(channels: Channels, operator: Any) -> None:
    found = weighted_op(channels.model, channels.graph, operator, channels.readers)
    if found is None or found.shared or channels.count(found.input) != found.input_channels:
        _fix_all(channels, operator)
        return
    channels.weighted.append(found)
    if not _homogeneous(operator):
        channels.fix(found.output)


def _add(channels: Channels, operator: Any) -> None:
    first, second, total = int(operator.inputs[0]), int(operator.inputs[1]), int(operator.outputs[0])
    constants = [at for at in (first, second) if constant(channels.model, channels.graph, at) is not None]
    if not _homogeneous(operator) or len(constants) == 2:
        _fix_all(channels, operator)
        return
    if not constants:
        channels.summed.append(total)
    for at in (first, second):
        if at not in constants:
            channels.tie(at, total)
        elif channels.is_shared(at) or _last(channels, at) != channels.count(total):
            channels.fix(total)
        else:
            channels.addends.append((at, total))


def _mul(channels: Channels, operator: Any) -> None:
    """A product is scaled as its first operand is, the gate stays; a constant takes up the factors of both sides."""
    first, second, product = int(operator.inputs[0]), int(operator.inputs[1]), int(operator.outputs[0])
    if constant(channels.model, channels.graph, first) is not None or channels.made_by(first) == "LOGISTIC":
        first, second = second, first
    if constant(channels.model, channels.graph, second) is not None:
        _mul_constant(channels, first, second, product)
    else:
        channels.fix(second)
        channels.tie(first, product)
    if not _homogeneous(operator):
        channels.fix(product)


def _mul_constant(channels: Channels, source: int, factor: int, product: int) -> None:
    if channels.is_shared(factor) or _last(channels, factor) not in {1, channels.count(source)}:
        channels.fix(source, product)
    elif _last(channels, factor) == channels.count(product) > 1:
        channels.multiplied.append((source, factor, product))
    else:
        channels.tie(source, product)


def _last(channels: Channels, tensor: int) -> int:
    shape = channels.graph.tensors[tensor].shape
    return int(shape[-1]) if shape is not None and len(shape) else 1


def _concatenate(channels: Channels, operator: Any) -> None:
    parts, whole = list(map(int, operator.inputs)), int(operator.outputs[0])
    channels.concatenated.append(whole)
    rank = len(channels.graph.tensors[whole].shape)
    if not _homogeneous(operator) or any(constant(channels.model, channels.graph, at) is not None for at in parts):
        _fix_all(channels, operator)
    elif operator.builtinOptions.axis % rank == rank - 1:
        channels.tie_parts(parts, whole)
    else:
        for part in parts:
            channels.tie(part, whole)


def _reduce(channels: Channels, operator: Any) -> None:
    axes = constant(channels.model, channels.graph, int(operator.inputs[1]), np.int32)
    rank = len(channels.graph.tensors[int(operator.inputs[0])].shape)
    if axes is None or rank - 1 in [int(axis) % rank for axis in np.ravel(axes)]:
        _fix_all(channels, operator)
    else:
        channels.tie(int(operator.inputs[0]), int(operator.outputs[0]))


def _pad(channels: Channels, operator: Any) -> None:
    widths = constant(channels.model, channels.graph, int(operator.inputs[1]), np.int32)
    if widths is None or np.reshape(widths, (-1, 2))[-1].any():
        _fix_all(channels, operator)
    else:
        channels.tie(int(operator.inputs[0]), int(operator.outputs[0]))


def _slice(channels: Channels, operator: Any) -> None:
    """Of places, not of channels."""
    source, part = int(operator.inputs[0]), int(operator.outputs[0])
    if channels.count(source) == channels.count(part) and _rank(channels, source) == _rank(channels, part):
        channels.tie(source, part)
    else:
        _fix_all(channels, operator)


def _rank(channels: Channels, tensor: int) -> int:
    return len(channels.graph.tensors[tensor].shape)


def _reshape(channels: Channels, operator: Any) -> None:
    """Places that become channels have the factors of theirs, one place after the other."""
    source, target = int(operator.inputs[0]), int(operator.outputs[0])
    before, after = channels.count(source), channels.count(target)
    shape = [int(size) for size in channels.graph.tensors[source].shape]
    trailing = {int(np.prod(shape[at:])) for at in range(1, len(shape))}
    if before == 0 or after not in trailing:
        _fix_all(channels, operator)
    else:
        channels.tie_repeated(source, target)


def _depth_to_space(channels: Channels, operator: Any) -> None:
    """Each channel comes from one channel of every phase, the phases one after the other."""
    channels.tie_repeated(int(operator.outputs[0]), int(operator.inputs[0]))


_RULES: dict[str, Callable[[Channels, Any], None]] = {
    "CONV_2D": _weighted,
    "DEPTHWISE_CONV_2D": _weighted,
    "FULLY_CONNECTED": _weighted,
    "ADD": _add,
    "SUB": _add,
    "MUL": _mul,
    "CONCATENATION": _concatenate,
    "RESHAPE": _reshape,
    "DEPTH_TO_SPACE": _depth_to_space,
    "STRIDED_SLICE": _slice,
    "SLICE": _slice,
    **dict.fromkeys(_REDUCING, _reduce),
    **dict.fromkeys(_PADDING, _pad),
}
