"""In-place operators as functional ones, where nothing can tell the difference.

Exact when the tensor that is overwritten is fresh memory (no view or alias of it exists) and nothing reads it
afterwards: ``relu_`` after a batch norm, ``add_`` on a convolution's result.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch.fx import Node

_aten = torch.ops.aten

_FRESH_COMPOSITES = frozenset({
    _aten.batch_norm.default,
    _aten.conv1d.default, _aten.conv2d.default, _aten.conv3d.default,
    _aten.conv_transpose2d.input,
    _aten.group_norm.default,
    _aten.layer_norm.default,
    _aten.linear.default,
    _aten.matmul.default,
    _aten.max_pool2d.default,
    _aten.relu6.default,
})  # fmt: skip
"""Composite operators whose schema says nothing of aliases but whose result is always newly made."""


def make_functional(node: Node) -> str | None:
    """Turn ``relu_`` into ``relu``, ``add_`` into ``add``; returns why not, and then leaves the node as it was."""
    functional = _functional_overload(node.target)
    if functional is None:
        return "writes in place and has no functional counterpart of the same arguments"
    overwritten = node.args[0]
    if not isinstance(overwritten, Node) or not is_fresh(overwritten):
        return f"writes into {overwritten}, which something else may share"
    if _read_later(overwritten, node):
        return f"writes into {overwritten}, which is read again later"
    if not _keeps_shape_and_dtype(node, overwritten):
        return "a functional version could give another shape or dtype"
    node.target = functional
    return None


def _functional_overload(target: Any) -> Any | None:
    """``aten::add_.Tensor`` → ``aten::add.Tensor``, when only the first argument is written and the others agree."""
    schema = target._schema
    written = [argument.alias_info is not None and argument.alias_info.is_write for argument in schema.arguments]
    if not written or not written[0] or any(written[1:]) or not schema.name.endswith("_"):
        return None
    packet = getattr(_aten, schema.name.removeprefix("aten::").removesuffix("_"), None)
    functional = getattr(packet, schema.overload_name or "default", None)
    if functional is None or not schema.name.startswith("aten::"):
        return None
    ours = [(argument.name, str(argument.type)) for argument in schema.arguments]
    theirs = [(argument.name, str(argument.type)) for argument in functional._schema.arguments]
    return functional if ours == theirs and not functional._schema.is_mutable else None


def is_fresh(node: Node) -> bool:
    """Whether a node's result is memory of its own, by its operator's schema."""
    if node.target is operator.getitem:
        source = node.args[0]
        return isinstance(source, Node) and _makes_new_tensors(source, at_least=2)
    return _makes_new_tensors(node, at_least=1)


def _makes_new_tensors(node: Node, *, at_least: int) -> bool:
    target = node.target
    if node.op != "call_function" or not isinstance(target, torch._ops.OpOverload):
        return False
    if target in _FRESH_COMPOSITES:
        return at_least == 1
    is_composite = target.has_kernel_for_dispatch_key(torch._C.DispatchKey.CompositeImplicitAutograd)
    schema = target._schema
    return (
        target.namespace == "aten"
        and not is_composite
        and not schema.is_mutable
        and len(schema.returns) >= at_least
        and all(str(each.type) == "Tensor" for each in schema.returns)
        and all(each.alias_info is None for each in (*schema.arguments, *schema.returns))
    )


def _read_later(overwritten: Node, writer: Node) -> bool:
    """Whether anything but the writer reads the tensor after it, or might hold a view of it."""
    others = [user for user in overwritten.users if user is not writer]
    return any(user > writer or not is_fresh(user) for user in others)


def _keeps_shape_and_dtype(node: Node, overwritten: Node) -> bool:
    """In place, the result has the first argument's shape and dtype; a functional operator promotes and broadcasts."""
    target = overwritten.meta.get("val")
    operands = [argument.meta.get("val") for argument in node.all_input_nodes]
    return isinstance(target, torch.Tensor) and all(
        isinstance(operand, torch.Tensor) and operand.dtype == target.dtype and operand.dim() <= target.dim()
        for operand in operands
    )
