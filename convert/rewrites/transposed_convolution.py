"""A transposed convolution whose batch is dynamic → a convolution that gives every phase, and a pixel shuffle.

Matches ConvTranspose in one or two dimensions, with a constant weight and one stride, where an axis of the input is
dynamic. TRANSPOSE_CONV wants its result's shape as a constant: computed from a dynamic batch, it makes the result a
tensor that LiteRT can size only while it runs, so that XNNPACK and NNAPI leave the op, and the GPU delegate the whole
file (U-Net, DCGAN). XNNPACK runs the two ops in a third to a half of the time.

Exact for finite numbers: result ``m`` of an axis is the sum of ``x[j] · w[m + pad - stride · j]``. With
``m = stride · i + r``, each of the ``stride`` phases ``r`` is a convolution of ``x`` with the taps ``w[r + pad],
w[r + pad - stride] …``; the phases are output channels of one convolution, which DepthToSpace puts between each other
(Shi et al., https://arxiv.org/abs/1609.07009). Where the kernel is no multiple of the stride, missing taps are zeros.
What comes before the first or after the last result is cut off. With groups, each phase gets a copy of the input. A
ReLU stays with the convolution, which does it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.graph import (
    Array,
    constant,
    input_of,
    insert_after,
    integer,
    ints,
    new_constant,
    nodes,
    opset,
    set_weight,
    sizes,
    sole_user,
    string,
)
from convert.rewrites.note import RewriteNote
from convert.rewrites.phases import Axis, cheapest_axis

NAME = "transposed_convolution"
_FIRST_DEPTH_TO_SPACE_MODE = 11
_END = np.iinfo(np.int64).max
_FUSED = frozenset({"Relu", "Clip"})


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Rewrite every such convolution."""
    notes = []
    for node in nodes(model, "ConvTranspose") if opset(model) >= _FIRST_DEPTH_TO_SPACE_MODE else ():
        weight, axes = constant(input_of(node, 1)), _axes(node)
        if weight is None or axes is None or not _bias_is_known(node):
            continue
        last = _fused_with(node)
        _give_phases(node, weight, axes)
        _interleave(node, last, axes)
        notes.append(RewriteNote(NAME, describe(node), True, f"{_phases(axes)} phases of a convolution, interleaved"))
    return tuple(notes)


def _bias_is_known(node: ir.Node) -> bool:
    return input_of(node, 2) is None or constant(input_of(node, 2)) is not None


def _phases(axes: tuple[Axis, ...]) -> int:
    return int(np.prod([axis.stride for axis in axes]))


def _axes(node: ir.Node) -> tuple[Axis, ...] | None:
    shape, weight = sizes(node.inputs[0]), sizes(input_of(node, 1))
    plain = string(node, "auto_pad", "NOTSET") == "NOTSET" and "output_shape" not in node.attributes
    if shape is None or weight is None or None in weight or None not in shape or shape[1] is None or not plain:
        return None
    kernel, rank = [int(size or 0) for size in weight[2:]], len(shape) - 2
    strides, pads = ints(node, "strides", (1,) * rank), ints(node, "pads", (0,) * (2 * rank))
    more, dilations = ints(node, "output_padding", (0,) * rank), ints(node, "dilations", (1,) * rank)
    if rank not in (1, 2) or set(dilations) != {1} or sizes(node.outputs[0]) is None:
        return None
    if set(shape[2:]) == {1} and not any((*pads, *more)):
        strides = tuple(kernel)  # of one element, no two windows overlap, whatever the stride is
    if len(set(strides)) != 1:
        return None
    found = [cheapest_axis(kernel[at], strides[at], (pads[at], pads[at + rank]), more[at]) for at in range(rank)]
    return None if None in found else tuple(axis for axis in found if axis is not None)


def _give_phases(node: ir.Node, weight: Array, axes: tuple[Axis, ...]) -> None:
    """Make the node a Conv whose output channels are ``(phase …, channel)``; with groups, each phase has its own."""
    rank, group, phases = len(axes), integer(node, "group", 1), _phases(axes)
    spread = weight.reshape(group, -1, *weight.shape[1:])
    for at, axis in enumerate(axes):
        spread = axis.spread(spread, 3 + 2 * at)  # (group, in, out, phase, tap, phase, tap)
    order = [*range(3, 3 + 2 * rank, 2), 0, 2, 1, *range(4, 4 + 2 * rank, 2)]
    filters = spread.transpose(order).reshape(-1, spread.shape[1], *(axis.taps for axis in axes))
    bias = constant(input_of(node, 2))
    set_weight(node, 1, np.ascontiguousarray(filters), "phases")
    if bias is not None:
        set_weight(node, 2, np.tile(bias, phases), "phases_bias")
    node.op_type = "Conv"
    node.attributes.clear()
    pads = [*(axis.pads[0] for axis in axes), *(axis.pads[1] for axis in axes)]
    node.attributes["pads"] = ir.AttrInt64s("pads", pads)
    if group > 1 and phases > 1:
        _repeat_input(node, phases)
    node.attributes["group"] = ir.AttrInt64("group", group if group == 1 else group * phases)


def _repeat_input(node: ir.Node, times: int) -> None:
    source = node.inputs[0]
    assert source is not None
    assert source.shape is not None
    assert node.graph is not None
    concat = ir.node("Concat", [source] * times, {"axis": 1}, name=f"{node.name}.repeat")
    concat.metadata_props.update(node.metadata_props)
    made = concat.outputs[0]
    channels = times * int(source.shape[1])  # type: ignore[arg-type]
    made.name, made.type = f"{node.outputs[0].name}.repeat", source.type
    made.shape = ir.Shape([source.shape[0], channels, *source.shape[2:]])
    node.graph.insert_before(node, concat)
    node.replace_input_with(0, made)


def _fused_with(node: ir.Node) -> ir.Node:
    """The ReLU that reads the node's result and nothing else does, or the node."""
    user = sole_user(node.outputs[0])
    return user if user is not None and user.op_type in _FUSED and user.inputs[0] is node.outputs[0] else node


def _interleave(node: ir.Node, last: ir.Node, axes: tuple[Axis, ...]) -> None:
    """Put the phases that ``last`` gives between each other, and cut off what nobody asked for."""
    source, wanted = node.inputs[0], last.outputs[0].shape
    assert source is not None
    assert source.shape is not None
    assert wanted is not None
    stride = axes[0].stride
    batch, channels = wanted[0], int(wanted[1])  # type: ignore[arg-type]
    places = [_sum(size, axis.more_places) for size, axis in zip(source.shape[2:], axes, strict=True)]
    for value in {node.outputs[0], last.outputs[0]}:
        value.shape = ir.Shape([batch, channels * _phases(axes), *places])
    longer = [batch, channels, *(_product(size, stride) for size in places)]
    if stride > 1 and len(axes) == 2:
        shuffle = ir.node("DepthToSpace", [last.outputs[0]], {"blocksize": stride})
        last = insert_after(last, shuffle, "shuffled", longer)
    elif stride > 1:
        last = _reshaped(last, [0, stride, channels, -1], "apart", [batch, stride, channels, *places])
        turned = ir.node("Transpose", [last.outputs[0]], {"perm": [0, 2, 3, 1]})
        last = insert_after(last, turned, "turned", [batch, channels, *places, stride])
        last = _reshaped(last, [0, channels, -1], "joined", longer)
    if any(axis.cut_before or axis.cut_after for axis in axes):
        _cut(last, axes, wanted)


def _reshaped(node: ir.Node, target: list[int], label: str, shape: Iterable[int | ir.SymbolicDim]) -> ir.Node:
    wanted = new_constant(node, np.array(target, np.int64), f"{label}_sizes")
    return insert_after(node, ir.node("Reshape", [node.outputs[0], wanted]), label, shape)


def _cut(node: ir.Node, axes: tuple[Axis, ...], shape: ir.Shape) -> None:
    ends = [-axis.cut_after or _END for axis in axes]
    spatial = range(2, 2 + len(axes))
    numbers = {"starts": [axis.cut_before for axis in axes], "ends": ends, "axes": list(spatial)}
    inputs = [new_constant(node, np.array(array, np.int64), name) for name, array in numbers.items()]
    insert_after(node, ir.node("Slice", [node.outputs[0], *inputs]), "cut", shape)


def _sum(size: int | ir.SymbolicDim, count: int) -> int | ir.SymbolicDim:
    if isinstance(size, int):
        return size + count
    return ir.SymbolicDim(None) if count else size


def _product(size: int | ir.SymbolicDim, factor: int) -> int | ir.SymbolicDim:
    return size * factor if isinstance(size, int) else ir.SymbolicDim(None)
