"""A recurrent op whose initial state is filled with zeros → without that input, which means zeros.

Exact: ONNX says of a missing initial state that it is 0. torch's exporter writes ``nn.LSTM(x)`` with zeros of the
batch's size, made by Shape, Concat and Expand; without them the first step has no state to multiply at all.
"""

from __future__ import annotations

import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.graph import constant, input_of, nodes
from convert.rewrites.note import RewriteNote

NAME = "zero_initial_state"

_INITIAL_STATES = {"RNN": (5,), "GRU": (5,), "LSTM": (5, 6)}
_MOVES_ONLY = frozenset(
    ("Identity", "Cast", "Expand", "Slice", "Squeeze", "Unsqueeze", "Reshape", "Transpose", "Tile", "Gather")
)


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Drop such inputs."""
    notes = []
    for node in nodes(model, *_INITIAL_STATES):
        zeros = [index for index in _INITIAL_STATES[node.op_type] if is_zero(input_of(node, index))]
        for index in zeros:
            node.replace_input_with(index, None)
        if zeros:
            notes.append(RewriteNote(NAME, describe(node), True, "a missing initial state means zeros"))
    return tuple(notes)


def is_zero(value: ir.Value | None) -> bool:
    """Whether every element is 0, as far as the graph proves it."""
    known = constant(value)
    if known is not None:
        return not known.any()
    node = None if value is None else value.producer()
    if node is None:
        return False
    if node.op_type == "ConstantOfShape":
        fill = node.attributes.get("value")
        return fill is None or not fill.as_tensor().numpy().any()
    if node.op_type == "Concat":
        return all(is_zero(part) for part in node.inputs)
    return node.op_type in _MOVES_ONLY and is_zero(node.inputs[0])
