"""Two convolutions of one input, added → one, with the sum of their weights; the input itself, or its batch norm, too.

Matches Add of a Conv and of a Conv, a BatchNormalization or nothing, all of the same value, nobody else reading them:
same strides and groups, the smaller kernel wholly inside the larger one, where its padding puts it. A sum of more
branches is added up pair by pair. Exact up to rounding, in float64: convolution is linear in its weights.

This is structural re-parameterisation (Ding et al., RepVGG, https://arxiv.org/abs/2101.03697, section 3.3), which nets
made for it ship without: RepVGG, MobileOne, RepViT, RepGhost, FastViT; and ``x + depthwise(x)`` of many transformers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.batch_norm import Floats, affine_of
from convert.rewrites.graph import (
    bypass,
    can_bypass,
    constant,
    constant_sizes,
    input_of,
    integer,
    ints,
    nodes,
    set_weight,
    sizes,
    sole_user,
    string,
)
from convert.rewrites.note import RewriteNote

NAME = "parallel_convolutions"


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Merge every such pair, in the order of the graph, so that sums of sums merge too."""
    notes = (_rewrite_one(node) for node in nodes(model, "Add"))
    return tuple(note for note in notes if note is not None)


def _rewrite_one(add: ir.Node) -> RewriteNote | None:
    for one, other in (add.inputs, add.inputs[::-1]):
        target = _convolution(one, add)
        if target is None or one is None or other is None or not can_bypass(add, one):
            continue
        added = _added(target, other, add)
        if added is None or sizes(one) != sizes(other):
            continue
        note = RewriteNote(NAME, describe(add), True, f"its branches became {describe(target.node)}")
        _add_numbers(target.node, added)
        bypass(add, one)
        _remove_unread(other)
        return note
    return None


@dataclass(frozen=True)
class _Numbers:
    """Weights of the target's shape, and a bias, to be added to the target's."""

    weight: Floats
    bias: Floats


@dataclass(frozen=True)
class _Convolution:
    node: ir.Node
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    group: int
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def kernel(self) -> tuple[int, ...]:
        return self.shape[2:]

    def holds(self, kernel: tuple[int, ...], before: tuple[int, ...], after: tuple[int, ...]) -> bool:
        """Whether a kernel so padded lies inside this one, and sees the same positions."""
        axes = zip(self.kernel, self.before, self.after, kernel, before, after, strict=True)
        return all(b >= lb and a >= la and b - lb + lk + a - la == k for k, b, a, lk, lb, la in axes)


def _convolution(value: ir.Value | None, add: ir.Node) -> _Convolution | None:
    """The Conv that gives the value to nobody but ``add``, if its weights and bias are constants."""
    node = None if value is None or sole_user(value) is not add else value.producer()
    shape = None if node is None or node.op_type != "Conv" else constant_sizes(input_of(node, 1))
    if node is None or shape is None or string(node, "auto_pad", "NOTSET") != "NOTSET":
        return None
    rank = len(shape) - 2
    if input_of(node, 2) is not None and constant_sizes(input_of(node, 2)) is None:
        return None
    if set(ints(node, "dilations", (1,))) != {1}:
        return None
    pads = ints(node, "pads", (0,) * (2 * rank))
    strides = ints(node, "strides", (1,) * rank)
    return _Convolution(node, shape, strides, integer(node, "group", 1), pads[:rank], pads[rank:])


def _added(target: _Convolution, other: ir.Value, add: ir.Node) -> _Numbers | None:
    """What the other branch adds to the target's weights; ``None`` if it is no part of such a convolution."""
    source, node = target.node.inputs[0], other.producer()
    convolution = _convolution(other, add)
    if convolution is not None and convolution.node.inputs[0] is source:
        return _of_convolution(target, convolution)
    if other is source:
        return _of_channels(target, np.ones(target.shape[0]), np.zeros(target.shape[0]))
    if node is None or node.op_type != "BatchNormalization" or node.inputs[0] is not source:
        return None
    affine = affine_of(node) if sole_user(other) is add else None
    return None if affine is None else _of_channels(target, affine.scale, affine.shift)


def _of_convolution(target: _Convolution, other: _Convolution) -> _Numbers | None:
    same = (target.strides, target.group, target.shape[:2]) == (other.strides, other.group, other.shape[:2])
    if not same or not target.holds(other.kernel, other.before, other.after):
        return None
    begins = [ours - theirs for ours, theirs in zip(target.before, other.before, strict=True)]
    place = tuple(slice(begin, begin + size) for begin, size in zip(begins, other.kernel, strict=True))
    weight = np.zeros(target.shape)
    weight[(..., *place)] = constant(input_of(other.node, 1))
    bias = constant(input_of(other.node, 2))
    return _Numbers(weight, np.zeros(target.shape[0]) if bias is None else bias.astype(np.float64))


def _of_channels(target: _Convolution, scale: Floats, shift: Floats) -> _Numbers | None:
    """``x * scale + shift``, channel by channel, which the padding of the target does not see."""
    rank = len(target.kernel)
    channels, group_width = target.shape[0], target.shape[1]
    if group_width * target.group != channels or set(target.strides) != {1} or scale.size != channels:
        return None
    if not target.holds((1,) * rank, (0,) * rank, (0,) * rank):
        return None
    weight = np.zeros(target.shape)
    every = np.arange(channels)
    weight[(every, every % group_width, *target.before)] = scale
    return _Numbers(weight, shift)


def _add_numbers(conv: ir.Node, added: _Numbers) -> None:
    weight, bias = constant(input_of(conv, 1)), constant(input_of(conv, 2))
    assert weight is not None
    set_weight(conv, 1, (weight.astype(np.float64) + added.weight).astype(weight.dtype), "weight")
    if bias is not None or added.bias.any():
        total = added.bias if bias is None else bias.astype(np.float64) + added.bias
        set_weight(conv, 2, total.astype(weight.dtype), "bias")


def _remove_unread(value: ir.Value) -> None:
    """The branch that nobody reads any more, so that what it read counts one reader less."""
    node = value.producer()
    if node is not None and node.graph is not None and not value.uses() and not value.is_graph_output():
        node.graph.remove(node, safe=True)
