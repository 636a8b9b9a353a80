"""Of several ops in a row between two tensors that both models have: which is the likeliest to be wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from verify.localise.graph import REARRANGING, Graph, Op
from verify.localise.kinds import class_of

_HELPERS = (
    frozenset(
        {"PAD", "PADV2", "MIRROR_PAD", "Pad", "PadV2", "MirrorPad", "STRIDED_SLICE", "SLICE", "Slice", "StridedSlice"}
    )
    | REARRANGING
)
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


def code_behind(op: Op, stretch: Sequence[Op], readers: Sequence[Op]) -> Op | None:
    """The trusted model's op that one of the judged model's stands for, as far as PyTorch code goes.

    ``readers`` read there what the op reads here, ``stretch`` gives what it should: one of its kind in both, or in
    either; else the last of the stretch that is more than a copy.
    """
    known = [each for each in stretch if each.module or each.source]
    alike = [each for each in known if class_of(each.kind) == class_of(op.kind)]
    reading = [each for each in readers if class_of(each.kind) == class_of(op.kind)]
    both = [each for each in alike if each in reading]
    computing = [each for each in known if each.kind not in REARRANGING]
    return next(iter(both[-1:] or reading[:1] or alike[-1:] or computing[-1:] or known[-1:]), None)


def readers_of(graph: Graph, tensors: Collection[str]) -> tuple[Op, ...]:
    """The ops that read one of these tensors, or a copy of it in another order, or padded."""
    held = set(tensors)
    found = []
    for op in graph.ops:
        if held.intersection(op.inputs):
            if op.kind in _HELPERS:
                held.update(op.outputs)
            else:
                found.append(op)
    return tuple(found)


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
