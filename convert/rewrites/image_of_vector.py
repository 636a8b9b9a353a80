"""A dense layer whose outputs become an image → the same layer with its outputs in channels-last order.

Matches Gemm, or MatMul with a constant matrix and perhaps its bias, then functions of single numbers, then a Reshape of
``(N, channels * height * width)`` to ``(N, channels, height, width)``, which spatial ops read and nothing else. The
columns of the weights are reordered, the Reshape gives ``(N, height, width, channels)`` and a Transpose calls that
``(N, channels, height, width)``: it costs nothing, for that is how a convolution wants its input stored.

Exact: the same numbers in other places. Decoders of autoencoders and generators that start from a vector asked for it:
they had one transpose each.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.graph import (
    Array,
    constant,
    constant_sizes,
    input_of,
    integer,
    new_constant,
    nodes,
    set_weight,
    sizes,
    sole_user,
)
from convert.rewrites.note import RewriteNote

NAME = "image_of_vector"

_UNARY = frozenset({"Relu", "LeakyRelu", "HardSwish", "HardSigmoid", "Sigmoid", "Tanh", "Elu", "Gelu", "Identity"})
_SPATIAL = frozenset({"Conv", "ConvTranspose", "MaxPool", "AveragePool", "Resize"})


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Reorder every such layer."""
    notes = []
    for reshape in nodes(model, "Reshape"):
        image = _image(reshape)
        layer = None if image is None else _layer_before(reshape)
        if image is None or layer is None or not _reorder(layer, image):
            continue
        notes.append(RewriteNote(NAME, describe(reshape), True, f"{describe(layer)} gives its outputs channels-last"))
        _reshape_channels_last(reshape, image)
    return tuple(notes)


def _image(reshape: ir.Node) -> tuple[int, int, int] | None:
    """Channels, height and width, if a vector becomes an image of more than one channel and more than one pixel."""
    before, after = sizes(reshape.inputs[0]), sizes(reshape.outputs[0])
    if before is None or after is None or len(before) != 2 or len(after) != 4 or reshape.outputs[0].is_graph_output():
        return None
    if not _is_read_as_image(reshape.outputs[0]):
        return None
    channels, height, width = after[1:]
    if channels is None or height is None or width is None or before[1] != channels * height * width:
        return None
    return (channels, height, width) if channels > 1 and height * width > 1 else None


def _is_read_as_image(value: ir.Value) -> bool:
    """Whether everything that reads the value wants its channels last."""
    users = [use.node for use in value.uses()]
    return bool(users) and all(
        user.op_type in _SPATIAL or (user.op_type in _UNARY and _is_read_as_image(user.outputs[0])) for user in users
    )


def _layer_before(reshape: ir.Node) -> ir.Node | None:
    """The Gemm, MatMul or Add whose outputs the Reshape takes, nothing but functions of single numbers between them."""
    value, user = reshape.inputs[0], reshape
    while value is not None and sole_user(value) is user:
        node = value.producer()
        if node is None or node.op_type not in _UNARY:
            return node
        value, user = node.inputs[0], node
    return None


def _reorder(layer: ir.Node, image: tuple[int, int, int]) -> bool:
    """Whether the layer's outputs could be put in channels-last order, which then was done."""
    width = image[0] * image[1] * image[2]
    order = np.arange(width).reshape(image).transpose(1, 2, 0).reshape(-1)
    if layer.op_type == "Gemm":
        axis = 0 if integer(layer, "transB", 0) else 1
        places = {1: axis, 2: -1} if input_of(layer, 2) is not None else {1: axis}
        return _reorder_all([(layer, places)], order)
    if layer.op_type == "MatMul":
        return _reorder_all([(layer, {1: 1})], order)
    product = layer.inputs[0] if layer.op_type == "Add" else None
    before = None if product is None or sole_user(product) is not layer else product.producer()
    if before is None or before.op_type != "MatMul":
        return False
    return _reorder_all([(before, {1: 1}), (layer, {1: -1})], order)


def _reorder_all(places: list[tuple[ir.Node, dict[int, int]]], order: Array) -> bool:
    every = [(node, index, axis) for node, axes in places for index, axis in axes.items()]
    for node, index, axis in every:
        shape = constant_sizes(input_of(node, index))
        if not shape or shape[axis] != order.size or (axis != -1 and len(shape) != 2):
            return False
    for node, index, axis in every:
        array = constant(input_of(node, index))
        assert array is not None
        set_weight(node, index, array.take(order.tolist(), axis), "weight" if index == 1 else "bias")
    return True


def _reshape_channels_last(reshape: ir.Node, image: tuple[int, int, int]) -> None:
    channels, height, width = image
    output = reshape.outputs[0]
    shape = output.shape
    assert shape is not None
    assert reshape.graph is not None
    target = np.array([-1, height, width, channels], np.int64)
    reshape.replace_input_with(1, new_constant(reshape, target, "channels_last"))
    turned = ir.node("Transpose", [output], {"perm": [0, 3, 1, 2]}, metadata_props=dict(reshape.metadata_props))
    made = turned.outputs[0]
    made.name, made.shape, made.type = f"{output.name}.image", shape, output.type
    output.replace_all_uses_with(made)
    turned.replace_input_with(0, output)
    output.shape = ir.Shape([shape[0], height, width, channels])
    reshape.graph.insert_after(reshape, turned)
