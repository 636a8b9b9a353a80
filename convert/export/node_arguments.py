"""What an operator's node was given, by name."""

from __future__ import annotations

from typing import Any

from torch.fx import Node


def arguments_by_name(node: Node) -> dict[str, Any]:
    """A node's arguments by name, defaults filled in."""
    schema = node.target._schema.arguments  # type: ignore[union-attr]
    given = {argument.name: value for argument, value in zip(schema, node.args, strict=False)}
    defaults = {argument.name: argument.default_value for argument in schema if argument.has_default_value()}
    return {**defaults, **given, **node.kwargs}
