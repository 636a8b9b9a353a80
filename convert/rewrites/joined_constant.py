"""Constant rows before or after a batch's own → padding, and an addition of those rows.

Matches Concat of one computed tensor with constants that Expand repeats for each sample (the class token of a vision
transformer), or that ConstantOfShape makes for each (zeros for the channels that a shortcut lacks). The tensor is
padded with zeros where the constants were, and a constant is added that is 0 where the tensor is. An addition of
constants that follows (of positions) takes it up, and constants of zeros need none.

Exact: ``x + 0`` is ``x``, and ``0 + (token + position)`` is ``token + position``. Repeating a constant takes the size
of the batch, which no delegate computes, and which PACK makes a size known only while the model runs: the GPU then
takes nothing of the file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.computed_sizes import computed_sizes
from convert.rewrites.graph import (
    Array,
    constant,
    insert_after,
    integer,
    new_constant,
    nodes,
    opset,
    set_weight,
    sizes,
    sole_user,
)
from convert.rewrites.note import RewriteNote

NAME = "joined_constant"
_FIRST_PAD_WITH_INPUTS = 13
_FLOATS = (ir.DataType.FLOAT, ir.DataType.FLOAT16)


@dataclass(frozen=True)
class _Join:
    """``source`` between rows that are the same for each sample, along ``axis``."""

    source: ir.Value
    axis: int
    before: int
    after: int
    rows: Array | None
    """What to add to the padded source, ``(1, …)``; ``None`` for zeros."""


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Rewrite every such Concat."""
    notes = []
    for node in nodes(model, "Concat") if opset(model) >= _FIRST_PAD_WITH_INPUTS else ():
        join = _join(node)
        if join is None:
            continue
        _pad(node, join)
        notes.append(RewriteNote(NAME, describe(node), True, f"{join.before + join.after} rows that no sample changes"))
    return tuple(notes)


def _join(node: ir.Node) -> _Join | None:
    shapes = [sizes(value) for value in node.inputs]
    repeated = [_repeated(value) for value in node.inputs]
    computed = [index for index, rows in enumerate(repeated) if rows is None]
    if len(computed) != 1 or None in shapes or len(node.inputs) < 2:
        return None
    place = computed[0]
    source, shape = node.inputs[place], shapes[place]
    if source is None or shape is None or source.dtype not in _FLOATS:
        return None
    axis = integer(node, "axis", 0) % len(shape)
    pieces = [rows for rows in repeated if rows is not None]
    if axis == 0 or any(piece.ndim != len(shape) for piece in pieces):
        return None
    before, after = (sum(piece.shape[axis] for piece in part) for part in (pieces[:place], pieces[place:]))
    if not any(piece.any() for piece in pieces):
        return _Join(source, axis, before, after, None)
    if None in shape[1:]:
        return None
    between = np.zeros((1, *(int(size or 0) for size in shape[1:])), pieces[0].dtype)
    return _Join(source, axis, before, after, np.concatenate([*pieces[:place], between, *pieces[place:]], axis))


def _repeated(value: ir.Value | None) -> Array | None:
    """The constant that a value is for each sample, with one sample; ``None`` for any other value."""
    node = None if value is None else value.producer()
    if node is None or node.op_type not in ("Expand", "ConstantOfShape"):
        return None
    wanted = computed_sizes(node.inputs[-1]) or ()
    rest = [size for size in wanted[1:] if isinstance(size, int)]
    if len(wanted) < 2 or not isinstance(wanted[0], ir.SymbolicDim) or len(rest) != len(wanted) - 1:
        return None
    if node.op_type == "ConstantOfShape":
        fill = node.attributes.get("value")
        number = np.float32(0) if fill is None else fill.as_tensor().numpy().reshape(())
        return np.full((1, *rest), number)
    known = constant(node.inputs[0])
    if known is None or known.ndim > len(wanted) or (known.ndim == len(wanted) and known.shape[0] != 1):
        return None
    return np.broadcast_to(known, np.broadcast_shapes(known.shape, (1, *rest)))


def _pad(node: ir.Node, join: _Join) -> None:
    """Make the Concat a Pad, and add the rows to what it gives."""
    result = node.outputs[0]
    assert result.shape is not None
    amounts = np.zeros((2, len(result.shape)), np.int64)
    amounts[:, join.axis] = join.before, join.after
    pads = new_constant(node, amounts.reshape(-1), "pads")
    node.op_type = "Pad"
    node.attributes.clear()
    node.resize_inputs(2)
    node.replace_input_with(0, join.source)
    node.replace_input_with(1, pads)
    if join.rows is None or _taken_up(result, join.rows):
        return
    insert_after(node, ir.node("Add", [result, new_constant(node, join.rows, "rows")]), "with_rows", result.shape)


def _taken_up(result: ir.Value, rows: Array) -> bool:
    """Whether an Add of a constant is all that reads the result, and now adds the rows too."""
    node = sole_user(result)
    if node is None or node.op_type != "Add":
        return False
    place = 1 if node.inputs[0] is result else 0
    known = constant(node.inputs[place])
    if known is None or known.ndim > rows.ndim or np.broadcast_shapes(known.shape, rows.shape) != rows.shape:
        return False
    set_weight(node, place, np.add(known, rows), "rows")
    return True
