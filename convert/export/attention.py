"""``scaled_dot_product_attention`` over any number of axes, as over four, all that torch's exporter translates rightly.

Attention treats all axes before ``(tokens, channels)`` alike, one independent problem for each index, so merging or
adding axes there changes nothing. The nested windows of NesT and Twins (five axes) and attention without heads (three)
asked for it; the older exporter, which took them before, keeps no source lines.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node

from convert.export.node_arguments import arguments_by_name

_aten = torch.ops.aten


def spell_out(node: Node) -> None:
    """Rewrite one attention node in place, once: over four axes, and zeros where nothing is seen.

    A node over other axes stays as it is where its mask would not broadcast in four as it did before.
    """
    arguments = arguments_by_name(node)
    tensors = [arguments[name] for name in ("query", "key", "value")]
    _give_zeros_where_nothing_is_seen(node, tensors[0], arguments["attn_mask"])
    shapes = [tensor.meta["val"].shape for tensor in tensors]
    rank = len(shapes[0])
    if rank in (2, 4) or any(len(shape) != rank for shape in shapes):
        return
    if rank == 3:
        _with_one_head(node, arguments, tensors)
    else:
        _with_merged_batches(node, arguments, tensors, rank)


def _give_zeros_where_nothing_is_seen(node: Node, query: Node, mask: Node | None) -> None:
    """PyTorch gives zeros for a token whose mask is false throughout; the ONNX that its exporter writes, the mean."""
    if mask is None or mask.meta["val"].dtype is not torch.bool:
        return
    seen = _before(node, _aten._to_copy.default, mask, dtype=query.meta["val"].dtype)
    sees = _before(node, _aten.amax.default, seen, [-1], True)
    with node.graph.inserting_after(node):
        attended = node.graph.call_function(_aten.mul.Tensor, (node, sees))
    attended.meta = dict(node.meta)
    node.replace_all_uses_with(attended, delete_user_cb=lambda user: user is not attended)


def _with_one_head(node: Node, arguments: dict[str, Any], tensors: list[Node]) -> None:
    mask = arguments["attn_mask"]
    if arguments["enable_gqa"]:
        return
    if mask is not None and mask.meta["val"].dim() == 3:
        mask = _before(node, _aten.unsqueeze.default, mask, 1)
    heads = [_before(node, _aten.unsqueeze.default, tensor, 1) for tensor in tensors]
    _replace_operands(node, heads, mask, _aten.squeeze.dim, 1)


def _with_merged_batches(node: Node, arguments: dict[str, Any], tensors: list[Node], rank: int) -> None:
    mask, shape = arguments["attn_mask"], node.meta["val"].shape
    leading = [tensor.meta["val"].shape[: rank - 3] for tensor in tensors]
    symbolic = [axis for axis, size in enumerate(shape) if not isinstance(size, int)]
    if len(symbolic) > 1 or any(sizes != leading[0] for sizes in leading):
        return
    if mask is not None and mask.meta["val"].dim() > 3:
        return
    merged = [_before(node, _aten.flatten.using_ints, tensor, 0, rank - 4) for tensor in tensors]
    split = [-1 if axis in symbolic else size for axis, size in enumerate(shape)]
    _replace_operands(node, merged, mask, _aten.reshape.default, split)


def _before(node: Node, target: Any, tensor: Node, *options: Any, **named: Any) -> Node:
    with node.graph.inserting_before(node):
        made = node.graph.call_function(target, (tensor, *options), named)
    made.meta = {**node.meta, "val": target(tensor.meta["val"], *options, **named)}
    return made


def _replace_operands(node: Node, operands: list[Node], mask: Node | None, back: Any, option: Any) -> None:
    """Let the node attend over ``operands`` and ``back`` bring its result to the shape that it had."""
    with node.graph.inserting_after(node):
        attended = node.graph.call_function(back, (node, option))
    attended.meta = dict(node.meta)
    node.replace_all_uses_with(attended, delete_user_cb=lambda user: user is not attended)
    kept = {name: value for name, value in node.kwargs.items() if name != "attn_mask"}
    node.args, node.kwargs = (*operands, mask, *node.args[4:]), kept
    query, value = (operand.meta["val"] for operand in (operands[0], operands[2]))
    node.meta = {**node.meta, "val": query.new_empty((*query.shape[:-1], value.shape[-1]))}
