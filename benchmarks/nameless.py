"""An ONNX file without what its exporter wrote of PyTorch, and without names; and what was known before."""

from __future__ import annotations

from pathlib import Path


def modules_of_nodes(*, path: Path) -> dict[str, str]:
    """Job: node's place → the module whose weight it reads, by the weight's name, else the one written down."""
    import onnx

    from verify.localise.onnx_source import module_of

    graph = onnx.load(str(path)).graph
    weights = {tensor.name for tensor in graph.initializer if tensor.name.endswith(".weight")}
    found = {}
    for at, node in enumerate(graph.node):
        owner = next((name.removesuffix(".weight") for name in node.input if name in weights), "")
        found[str(at)] = owner or module_of(node)
    return found


def without_names(*, path: Path, out: Path) -> Path:
    """Job: write a copy in which nodes have no metadata, and no name of a node or an inner tensor says anything."""
    import onnx

    model = onnx.load(str(path))
    graph = model.graph
    kept = {value.name for value in (*graph.input, *graph.output)}
    names: dict[str, str] = {}

    def renamed(name: str) -> str:
        return name if not name or name in kept else names.setdefault(name, f"tensor_{len(names)}")

    for at, node in enumerate(graph.node):
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise ValueError(f"node {at} ({node.op_type}) has a graph inside, whose names are not changed")
        del node.metadata_props[:]
        node.name, node.doc_string = f"node_{at}", ""
        node.input[:], node.output[:] = map(renamed, node.input), map(renamed, node.output)
    for tensor in graph.initializer:
        tensor.name = renamed(tensor.name)
    del graph.value_info[:], graph.metadata_props[:]
    onnx.save(model, str(out))
    return out
