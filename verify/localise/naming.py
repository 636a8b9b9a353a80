"""Of several ops in a row between two tensors that both models have: which is the likeliest to be wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from verify.localise.graph import REARRANGING, Graph, Op
from verify.localise.kinds import class_of

_HELPERS = frozenset({"PAD", "PADV2", "MIRROR_PAD", "Pad", "STRIDED_SLICE", "SLICE", "Slice"}) | REARRANGING
"""Ops that one converter writes apart where another has them inside a convolution or a pool."""


def named(ops: tuple[Op, ...], places: Mapping[str, str], trusted: Collection[Op]) -> Op:
    """Of a stretch of the judged model, while ``trusted`` are the ops of the trusted one there.

    One that the trusted model has not, where it has another that is missing; else the first that both have, by place
    or by kind; else the only one with weights, or the last.
    """
    if len(ops) == 1:
        return ops[0]
    theirs = {class_of(op.kind) for op in trusted}
    missing = theirs - {class_of(op.kind) for op in ops}
    odd = [op for op in ops if class_of(op.kind) not in theirs and op.kind not in _HELPERS]
    if len(odd) == 1 and missing and len(ops) > len(odd):
        return odd[0]
    both = [op for op in ops if op.outputs[0] in places or class_of(op.kind) in theirs]
    if both:
        return both[0]
    weighted = [op for op in ops if op.weighted]
    return weighted[0] if len(weighted) == 1 else ops[-1]


def between(graph: Graph, ancestors: Collection[str], tensor: str) -> tuple[Op, ...]:
    """The ops that give a tensor from others."""
    producers = graph.producers()
    found: dict[int, Op] = {}
    waiting = [tensor]
    while waiting:
        op = producers.get(waiting.pop())
        if op is not None and op.index not in found:
            found[op.index] = op
            waiting += [each for each in op.inputs if each not in ancestors]
    return tuple(found[index] for index in sorted(found))
