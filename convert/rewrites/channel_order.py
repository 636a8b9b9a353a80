"""Layers whose channels may come in another order: their weights are reordered instead.

An order lists, by new place, the channel that stands there now.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from convert.rewrites.graph import Array, constant, constant_sizes, input_of, integer, set_weight, sole_user

Order = Sequence[int]

_CHANNEL_BY_CHANNEL = frozenset({
    "Relu", "Clip", "LeakyRelu", "HardSwish", "HardSigmoid", "Sigmoid", "Tanh", "Elu", "Gelu", "Identity",
    "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool",
})  # fmt: skip
"""Ops that treat every channel alike, with nothing but numbers besides their first input."""


def gives_any_order(value: ir.Value | None) -> ir.Node | None:
    """The Conv whose weights decide in which order the value's channels come, if nothing else sees that order."""
    node = None if value is None or value.is_graph_output() else value.producer()
    if node is None:
        return None
    if node.op_type == "Conv":
        return node if integer(node, "group", 1) == 1 and _has_constant_weights(node) else None
    if node.op_type not in _CHANNEL_BY_CHANNEL or not _takes_numbers(node) or len(node.outputs) > 1:
        return None
    source = node.inputs[0]
    return gives_any_order(source) if source is not None and sole_user(source) is node else None


def take_any_order(value: ir.Value) -> bool:
    """Whether everything that reads the value can take its channels in another order."""
    return not value.is_graph_output() and all(use.idx == 0 and _takes_any_order(use.node) for use in value.uses())


def _takes_any_order(node: ir.Node) -> bool:
    if node.op_type == "Conv" and _has_constant_weights(node):
        return integer(node, "group", 1) == 1 or (_is_depthwise(node) and take_any_order(node.outputs[0]))
    plain = node.op_type in _CHANNEL_BY_CHANNEL and _takes_numbers(node) and len(node.outputs) == 1
    return plain and take_any_order(node.outputs[0])


def reorder_source(conv: ir.Node, order: Order) -> None:
    """Give the Conv's outputs in another order."""
    _pick(conv, 1, order)
    if input_of(conv, 2) is not None:
        _pick(conv, 2, order)


def reorder_readers(value: ir.Value, order: Order) -> None:
    """Tell everything that reads the value that its channels come in another order."""
    for use in tuple(value.uses()):
        node = use.node
        if node.op_type == "Conv" and integer(node, "group", 1) == 1:
            weight = _numbers(node, 1)
            set_weight(node, 1, weight[:, list(order)], "weight")
            continue
        if node.op_type == "Conv":
            reorder_source(node, order)
        reorder_readers(node.outputs[0], order)


def _pick(node: ir.Node, index: int, order: Order) -> None:
    set_weight(node, index, _numbers(node, index)[list(order)], "weight" if index == 1 else "bias")


def _numbers(node: ir.Node, index: int) -> Array:
    array = constant(input_of(node, index))
    assert array is not None
    return array


def _has_constant_weights(conv: ir.Node) -> bool:
    given = [value for value in conv.inputs[1:] if value is not None]
    return all(constant_sizes(value) is not None for value in given)


def _takes_numbers(node: ir.Node) -> bool:
    return all(value is None or constant_sizes(value) is not None for value in node.inputs[1:])


def _is_depthwise(conv: ir.Node) -> bool:
    shape = constant_sizes(input_of(conv, 1))
    return shape is not None and shape[1] == 1 and shape[0] == integer(conv, "group", 1)
