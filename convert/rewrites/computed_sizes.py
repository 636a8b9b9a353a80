"""Sizes that a graph computes from the shapes of its values, read off the graph: static ones and named dynamic ones."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from convert.rewrites.graph import constant, input_of, integer

Sizes = tuple[int | ir.SymbolicDim | None, ...]
"""``None`` is a reshape's -1."""

_SAME = ("Cast", "Identity", "Squeeze", "Unsqueeze")
"""On a list of sizes these change the type and the rank, which is 0 or 1, but no size."""


def computed_sizes(value: ir.Value | None) -> Sizes | None:
    """The sizes that ``value`` holds; ``None`` where one of them is computed otherwise, or is 0."""
    numbers = constant(value)
    if numbers is not None:
        flat = [int(number) for number in numbers.reshape(-1)] if numbers.dtype.kind == "i" else []
        plain = bool(flat) and min(flat) >= -1 and 0 not in flat
        return tuple(None if number == -1 else number for number in flat) if plain else None
    node = value.producer() if value is not None else None
    if node is None or node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type in _SAME:
        return computed_sizes(node.inputs[0])
    rule = {"Shape": _shape, "Concat": _concat, "Slice": _slice, "Gather": _gather}.get(node.op_type)
    return rule(node) if rule is not None else None


def _shape(node: ir.Node) -> Sizes | None:
    source = node.inputs[0]
    if source is None or source.shape is None:
        return None
    end = node.attributes.get("end")
    sizes = tuple(source.shape.dims)[integer(node, "start", 0) : None if end is None else end.as_int()]
    return sizes if all(isinstance(size, int) or size.value is not None for size in sizes) else None


def _concat(node: ir.Node) -> Sizes | None:
    parts = [computed_sizes(value) for value in node.inputs]
    return None if None in parts else tuple(size for part in parts for size in part or ())


def _slice(node: ir.Node) -> Sizes | None:
    sizes, starts, ends = computed_sizes(node.inputs[0]), constant(input_of(node, 1)), constant(input_of(node, 2))
    steps = constant(input_of(node, 4)) if input_of(node, 4) is not None else np.array([1])
    if sizes is None or starts is None or ends is None or steps is None or steps.tolist() != [1]:
        return None
    return sizes[int(starts.item()) : int(ends.item())]


def _gather(node: ir.Node) -> Sizes | None:
    sizes, indices = computed_sizes(node.inputs[0]), constant(input_of(node, 1))
    if sizes is None or indices is None or indices.ndim > 1:
        return None
    return tuple(sizes[int(index)] for index in indices.reshape(-1))
