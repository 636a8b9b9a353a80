"""A padded MaxPool of a convolution → the convolution gives a row more, and the pool pads as SAME does.

Matches a MaxPool whose padding is not SAME's, after a Conv that nothing else reads, with unary functions between. SAME
pads 3×3 windows of stride 2 alike on both sides of an odd size, and after an even one only; torch pads 112 rows before.
So the Conv pads its input more, gives 113 rows, and the 57th row of windows, which alone sees the new one, is cut off.

Exact: no other window reaches the new rows, whatever is in them. XNNPACK pads a convolution as it reads, at no cost,
and a pool by a copy of its whole input: 10 % of ShuffleNetV2 x0.5. A convolution of many channels on a small map takes
longer over the new rows than the copy does, and one of 1×1 does not read through an index of padding at all: those
stay, where the copy can be padded by a number (13 pairs timed, 0.86 to 2.3 times as fast).
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.bounds import lower_bound
from convert.rewrites.graph import insert_after, integer, ints, new_constant, nodes, opset, sizes, sole_user, string
from convert.rewrites.note import RewriteNote
from convert.rewrites.padded_max_pool import Axis, axes_of

NAME = "pool_of_convolution"

_UNARY = frozenset({"Relu", "LeakyRelu", "HardSwish", "HardSigmoid", "Sigmoid", "Tanh", "Elu", "Gelu", "Identity"})
_FIRST_SLICE_WITH_INPUTS = 10
_MULTIPLICATIONS_A_COPY = 10
"""In the time in which XNNPACK copies an element; with 9 both ways took as long, from 16 the copy was faster."""


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Rewrite every such pool."""
    notes = []
    for pool in nodes(model, "MaxPool") if opset(model) >= _FIRST_SLICE_WITH_INPUTS else ():
        between, axes = _back_to_convolution(pool), _padded_axes(pool)
        if between is None or axes is None:
            continue
        extra = [_extra_rows(axis) for axis in axes]
        rows = [count for count in extra if count is not None]
        pads = _more_pads(between[-1], rows) if len(rows) == len(axes) else None
        if pads is None or not _is_faster(pool, between[-1], axes, rows):
            continue
        notes.append(RewriteNote(NAME, describe(pool), True, f"{describe(between[-1])} gives {rows} rows more"))
        _widen(between, pads, rows)
        _pool_and_cut(pool, axes, rows)
    return tuple(notes)


def _padded_axes(pool: ir.Node) -> list[Axis] | None:
    """The pool's axes with the padding that its windows cover, if it is known, is not none and not SAME's."""
    axes, result = axes_of(pool), sizes(pool.outputs[0])
    if axes is None or result is None or None in result[2:] or len(pool.outputs) > 1:
        return None
    covered = [axis.covered(ceil_mode=bool(integer(pool, "ceil_mode", 0))) for axis in axes]
    padded = any(axis.before or axis.after for axis in covered)
    return covered if padded and not all(axis.is_same for axis in covered) else None


def _back_to_convolution(pool: ir.Node) -> list[ir.Node] | None:
    """The unary functions before the pool, the nearest first, and the Conv before them."""
    between: list[ir.Node] = []
    value, user = pool.inputs[0], pool
    while value is not None and sole_user(value) is user:
        producer = value.producer()
        if producer is None or (producer.op_type not in _UNARY and producer.op_type != "Conv"):
            return None
        if sizes(producer.outputs[0]) != sizes(pool.inputs[0]):
            return None
        between.append(producer)
        if producer.op_type == "Conv":
            return between
        value, user = producer.inputs[0], producer
    return None


def _extra_rows(axis: Axis) -> int | None:
    """How many rows more make SAME pad before the axis as the pool does; ``None`` if a window would see one of them."""
    if axis.size is None or axis.after or axis.dilation != 1:
        return None
    for extra in range(axis.stride + 1):
        count = -(-(axis.size + extra) // axis.stride)
        total = max((count - 1) * axis.stride + axis.extent - axis.size - extra, 0)
        if total // 2 == axis.before:
            return extra
    return None


def _is_faster(pool: ir.Node, conv: ir.Node, axes: list[Axis], extra: list[int]) -> bool:
    """Whether the new rows cost less than a padded copy, which an input without a lower bound is not spared anyway."""
    weight = sizes(conv.inputs[1]) or ()
    taps = [int(size or 0) for size in weight[1:]]
    if lower_bound(pool.inputs[0]) is None:
        return True
    before = math.prod(axis.size or 0 for axis in axes)
    after = math.prod((axis.size or 0) + rows for axis, rows in zip(axes, extra, strict=True))
    multiplications = (after - before) * math.prod(taps)
    return math.prod(taps[1:]) > 1 and multiplications <= _MULTIPLICATIONS_A_COPY * after


def _more_pads(conv: ir.Node, extra: list[int]) -> list[int] | None:
    """The Conv's pads with which it gives that many rows more; ``None`` where its sizes are not known."""
    before, after = sizes(conv.inputs[0]), sizes(conv.outputs[0])
    weight = sizes(conv.inputs[1])
    rank = len(extra)
    if before is None or after is None or weight is None or string(conv, "auto_pad", "NOTSET") != "NOTSET":
        return None
    if None in (*before[2:], *after[2:], *weight):
        return None
    strides, dilations = ints(conv, "strides", (1,) * rank), ints(conv, "dilations", (1,) * rank)
    pads = list(ints(conv, "pads", (0,) * (2 * rank)))
    for axis, rows in enumerate(extra):
        size, count, kernel = (int(each[2 + axis] or 0) for each in (before, after, weight))
        reach = (count + rows - 1) * strides[axis] + (kernel - 1) * dilations[axis] + 1
        if rows:
            pads[rank + axis] = max(reach - size - pads[axis], pads[rank + axis])
    return pads


def _widen(between: list[ir.Node], pads: list[int], extra: list[int]) -> None:
    between[-1].attributes["pads"] = ir.AttrInt64s("pads", pads)
    for node in between:
        _grow(node.outputs[0], extra)


def _grow(value: ir.Value, extra: list[int]) -> None:
    shape = value.shape
    assert shape is not None
    wider = [int(size) + rows for size, rows in zip(shape[2:], extra, strict=True)]  # type: ignore[arg-type]
    value.shape = ir.Shape([*shape[:2], *wider])


def _pool_and_cut(pool: ir.Node, axes: list[Axis], extra: list[int]) -> None:
    """The pool padded as SAME pads the wider input, and a Slice of the windows that it had."""
    output, shape = pool.outputs[0], pool.outputs[0].shape
    assert shape is not None
    wider = [(axis.size or 0) + rows for axis, rows in zip(axes, extra, strict=True)]
    counts = [-(-size // axis.stride) for size, axis in zip(wider, axes, strict=True)]
    after = [
        max((count - 1) * axis.stride + axis.extent - size - axis.before, 0)
        for count, size, axis in zip(counts, wider, axes, strict=True)
    ]
    pool.attributes["pads"] = ir.AttrInt64s("pads", [*(axis.before for axis in axes), *after])
    for stated_by_pads in ("auto_pad", "ceil_mode"):
        pool.attributes.pop(stated_by_pads, None)
    ends = np.array([int(size) for size in shape[2:]], np.int64)  # type: ignore[arg-type]
    spatial = np.arange(2, 2 + len(axes), dtype=np.int64)
    numbers = {"starts": np.zeros_like(ends), "ends": ends, "axes": spatial}
    inputs = [new_constant(pool, array, name) for name, array in numbers.items()]
    insert_after(pool, ir.node("Slice", [output, *inputs]), "cut", shape)
    output.shape = ir.Shape([*shape[:2], *counts])
