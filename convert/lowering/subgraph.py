"""What a node with subgraphs (If, Loop, Scan) reads of the graph around it."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir


def subgraphs(node: ir.Node) -> Iterator[ir.Graph]:
    """The graphs in a node's attributes."""
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            yield attribute.as_graph()
        elif attribute.type == ir.AttributeType.GRAPHS:
            yield from attribute.as_graphs()


def has_subgraphs(node: ir.Node) -> bool:
    """Whether the node has any."""
    return next(subgraphs(node), None) is not None


def names_read(node: ir.Node) -> Iterator[str]:
    """The names of a node's inputs and of everything that its subgraphs read or give back; their own values too."""
    yield from (str(value.name) for value in node.inputs if value is not None)
    for graph in subgraphs(node):
        for inner in graph:
            yield from names_read(inner)
        yield from (str(output.name) for output in graph.outputs)
