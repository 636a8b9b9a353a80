"""What every rewrite needs of an onnx-ir graph: constants, sole users, attributes with defaults, bypassing a node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
from onnx_ir.passes import common

Array = npt.NDArray[np.generic]

_ONNX_DOMAIN = ("", "ai.onnx")


def infer_missing_shapes(model: ir.Model) -> None:
    """ONNX's own shape inference, if a node's output has no shape yet; torch's newer exporter gives them all."""
    if any(value.shape is None for node in model.graph.all_nodes() for value in node.outputs):
        common.ShapeInferencePass(data_prop=True)(model)


def remove_unused(model: ir.Model) -> None:
    """Drop nodes and initializers that no output depends on."""
    common.RemoveUnusedNodesPass()(model)


def nodes(model: ir.Model, *op_types: str) -> Iterator[ir.Node]:
    """The nodes of these op types, subgraphs included; the graph may be edited meanwhile."""
    for node in list(model.graph.all_nodes()):
        if node.domain in _ONNX_DOMAIN and node.op_type in op_types and node.graph is not None:
            yield node


def opset(model: ir.Model) -> int:
    """The version of the ONNX operator set that the model imports."""
    return max(model.opset_imports.get(domain, 0) for domain in _ONNX_DOMAIN)


def ints(node: ir.Node, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """An attribute that lists integers."""
    attribute = node.attributes.get(name)
    return default if attribute is None else tuple(attribute.as_ints())


def integer(node: ir.Node, name: str, default: int) -> int:
    """An integer attribute."""
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_int()


def number(node: ir.Node, name: str, default: float) -> float:
    """A float attribute."""
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_float()


def string(node: ir.Node, name: str, default: str) -> str:
    """A string attribute."""
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_string()


def input_of(node: ir.Node, index: int) -> ir.Value | None:
    """An input, ``None`` when it is optional and not given."""
    return node.inputs[index] if index < len(node.inputs) else None


def constant(value: ir.Value | None) -> Array | None:
    """A value's numbers if the model holds them (initializer or Constant node), else ``None``."""
    tensor = None if value is None or value.is_graph_input() else ir.convenience.get_const_tensor(value)
    return None if tensor is None else tensor.numpy()


def constant_sizes(value: ir.Value | None) -> tuple[int, ...] | None:
    """The shape of a value whose numbers the model holds, without reading them: reading copies."""
    tensor = None if value is None or value.is_graph_input() else ir.convenience.get_const_tensor(value)
    return None if tensor is None else tuple(int(size) for size in tensor.shape)  # type: ignore[arg-type]


def sizes(value: ir.Value | None) -> tuple[int | None, ...] | None:
    """A value's shape with ``None`` for dynamic axes; ``None`` if not even its rank is known."""
    if value is None or value.shape is None:
        return None
    return tuple(size if isinstance(size, int) else None for size in value.shape)


def sole_user(value: ir.Value) -> ir.Node | None:
    """The one node that reads the value, ``None`` if there are more or it is an output of the graph."""
    users = [use.node for use in value.uses()]
    return users[0] if len(users) == 1 and not value.is_graph_output() else None


def new_constant(node: ir.Node, array: Array, suffix: str) -> ir.Value:
    """An initializer in the node's graph, named after its output."""
    assert node.graph is not None
    value = ir.val(f"{node.outputs[0].name}.{suffix}", const_value=ir.tensor(array))
    value.const_value.name = value.name  # type: ignore[union-attr]
    node.graph.register_initializer(value)
    return value


def set_weight(node: ir.Node, index: int, array: Array, suffix: str) -> None:
    """Give the node other numbers at that input, under the weight's own name if no other node reads it."""
    value = input_of(node, index)
    if value is not None and value.is_initializer() and sole_user(value) is node:
        value.const_value = ir.tensor(array, name=value.name)
        value.shape = ir.Shape(array.shape)
        return
    replacement = new_constant(node, array, suffix)
    if index >= len(node.inputs):
        node.resize_inputs(index + 1)
    node.replace_input_with(index, replacement)


def can_bypass(node: ir.Node, source: ir.Value) -> bool:
    """Whether ``source`` can stand in for the node's output: an output of a graph has to keep a node of that graph."""
    return not node.outputs[0].is_graph_output() or not (
        source.is_graph_input() or source.is_graph_output() or source.is_initializer() or source.graph is not node.graph
    )


def bypass(node: ir.Node, source: ir.Value) -> None:
    """Remove the node and let ``source`` stand in for its output, whose name it takes if that is the graph's."""
    output = node.outputs[0]
    if output.is_graph_output():
        source.name, output.name = output.name, f"{output.name}.removed"
    output.replace_all_uses_with(source, replace_graph_outputs=True)
    assert node.graph is not None
    node.graph.remove(node, safe=True)


def insert_after(node: ir.Node, new: ir.Node, label: str, shape: Iterable[int | ir.SymbolicDim]) -> ir.Node:
    """Let ``new``, which reads the node's first output, stand in for it; what it gives has that shape.

    Its name and its output's are the node's with the label, except that an output of the graph keeps its name.
    """
    output, made = node.outputs[0], new.outputs[0]
    assert node.graph is not None
    new.name = f"{node.name}.{label}"
    new.metadata_props.update(node.metadata_props)
    node.graph.insert_after(node, new)
    made.name, made.shape, made.type = f"{output.name}.{label}", ir.Shape(shape), output.type
    if output.is_graph_output():
        made.name, output.name = output.name, made.name
    output.replace_all_uses_with(made, replace_graph_outputs=True)
    new.replace_input_with(0, output)
    return new
