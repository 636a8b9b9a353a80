"""The walk over an ONNX graph: each node through its lowering, what is known now computed now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from convert.layout.layout import Layout
from convert.layout.value import Array, Tensor, TensorSequence, Value, constant
from convert.lowering.broadcast import broadcast_sizes
from convert.lowering.call import REMEDY, Call
from convert.lowering.kernel_types import narrowed, widened
from convert.lowering.registry import Lowering, find_lowering
from convert.lowering.shape_arithmetic import fold_sizes
from convert.lowering.source import describe
from convert.lowering.subgraph import has_subgraphs, names_read
from convert.lowering.trace import Trace
from convert.lowering.weights import Weights
from verify.errors import LoweringFailed, ToolError, UnsupportedOp

_ELEMENTWISE = frozenset({
    "Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Where", "Cast", "Clip", "Relu", "Sigmoid", "Tanh", "Gelu",
})  # fmt: skip
"""Ops whose result is as large as their operands, broadcast."""
_LARGE_CONSTANT = 1 << 18
"""Bytes."""
_KEEPS_ITS_PARAMETER = frozenset({"Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast"})


def unsupported_ops(model: ir.Model) -> tuple[str, ...]:
    """The nodes that no lowering knows, described one a distinct op; empty when the whole model can be lowered."""
    missing: dict[str, list[ir.Node]] = {}
    for node in model.graph.all_nodes():
        if find_lowering(node.domain, node.op_type, opset_of(model, node)) is None:
            missing.setdefault(f"{node.domain}.{node.op_type}", []).append(node)
    return tuple(
        describe(nodes[0]) + (f", and {len(nodes) - 1} more like it" if len(nodes) > 1 else "")
        for nodes in missing.values()
    )


def require_known_ops(model: ir.Model) -> None:
    """Raise ``UnsupportedOp`` that names every op without a lowering, if there is any."""
    if missing := unsupported_ops(model):
        raise UnsupportedOp("no exact lowering for " + "; ".join(missing), fix=REMEDY)


def opset_of(model: ir.Model, node: ir.Node) -> int:
    """The version of the operator set that the node's op is from."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    return model.opset_imports.get(domain, model.opset_imports.get("ai.onnx", 1) if not domain else 1)


def lower_graph(model: ir.Model, inputs: Mapping[str, Value], trace: Trace) -> dict[str, Value]:
    """The graph's outputs by name, from its inputs by name."""
    values = _walk(model, Scope(model.graph, dict(inputs)), trace)
    return {str(output.name): value for output, value in zip(model.graph.outputs, values, strict=True)}


@dataclass(frozen=True)
class Scope:
    """What the nodes of a graph can read: its own values as they come to be known, and those of the graph around it."""

    graph: ir.Graph
    values: dict[str, Value]
    around: Scope | None = None

    def value(self, name: str) -> Value:
        """Initializers are read when they are first needed: reading copies them out of the file's message."""
        if name in self.values:
            return self.values[name]
        if name in self.graph.initializers:
            self.values[name] = constant(_numbers(self.graph.initializers[name]), parameter=name)
            return self.values[name]
        if self.around is None:
            raise LoweringFailed(f"nothing in the graph gives {name!r}", fix="export the model again")
        return self.around.value(name)


def _walk(model: ir.Model, scope: Scope, trace: Trace) -> tuple[Value, ...]:
    """The outputs of a graph whose inputs are in ``scope``."""
    last_use = _last_uses(scope.graph)
    for position, node in enumerate(scope.graph):
        operands = [None if value is None else scope.value(str(value.name)) for value in node.inputs]
        results = _lower(model, node, operands, scope, trace)
        if trace.origins is not None:
            trace.origins.attribute(node, results)
        for output, value in zip(node.outputs, results, strict=False):
            scope.values[str(output.name)] = value
        for name in last_use.get(position, ()):
            scope.values.pop(name, None)
    return tuple(scope.value(str(output.name)) for output in scope.graph.outputs)


def _numbers(initializer: ir.Value) -> np.ndarray:  # type: ignore[type-arg]
    if initializer.const_value is None:
        raise LoweringFailed(f"the initializer {initializer.name!r} has no data", fix="export the model again")
    return initializer.const_value.numpy()


def _last_uses(graph: ir.Graph) -> dict[int, list[str]]:
    """By node position, the values that nobody needs after it: constants are freed once they are variables."""
    last: dict[str, int] = {}
    for position, node in enumerate(graph):
        for name in names_read(node):
            last[name] = position
    kept = {str(output.name) for output in graph.outputs}
    freed: dict[int, list[str]] = {}
    for name, position in last.items():
        if name not in kept:
            freed.setdefault(position, []).append(name)
    return freed


def _lower(
    model: ir.Model, node: ir.Node, operands: Sequence[Value | None], scope: Scope, trace: Trace
) -> tuple[Value, ...]:
    opset = opset_of(model, node)
    lowering = find_lowering(node.domain, node.op_type, opset)
    if lowering is None:
        raise UnsupportedOp(f"no exact lowering for {describe(node)}", fix=REMEDY)

    def lower_subgraph(graph: ir.Graph, values: Sequence[Value], inner: Trace) -> tuple[Value, ...]:
        given = {str(value.name): known for value, known in zip(graph.inputs, values, strict=True)}
        return _walk(model, Scope(graph, given, scope), inner)

    call = Call(node, operands, trace, opset, lower_subgraph)
    try:
        return _evaluate(call, lowering)
    except ToolError:
        raise
    except Exception as error:
        shapes = ", ".join("-" if v is None else "×".join(map(str, v.sizes)) or "scalar" for v in operands)
        raise LoweringFailed(
            f"{describe(node)} on ({shapes}) could not be lowered: {type(error).__name__}: {error}",
            fix="try --lowering onnx2tf, and report the model",
        ) from error


def _evaluate(call: Call, lowering: Lowering) -> tuple[Value, ...]:
    given = [value for value in call.inputs if value is not None]
    if has_subgraphs(call.node):
        return tuple(_settled(call, index, value) for index, value in enumerate(_results(call, lowering)))
    if given and all(value.is_constant for value in given):
        return _computed_now(call, lowering)
    if any(value.is_shape_arithmetic for value in given) and not any(value.is_tensor for value in given):
        sizes = fold_sizes(call)
        if sizes is not None:
            return (constant(sizes),)
    operands = widened(call.node.op_type, call.inputs)
    if all(wide is given for wide, given in zip(operands, call.inputs, strict=True)):
        results = _results(call, lowering)
    else:
        results = _narrowed(call, _results(Call(call.node, operands, call.trace, call.opset), lowering))
    return tuple(_settled(call, index, value) for index, value in enumerate(results))


def _narrowed(call: Call, results: Sequence[Value]) -> tuple[Value, ...]:
    """Results of operands that were widened, in the types that ONNX says they have."""
    narrow = []
    for index, (value, _) in enumerate(zip(results, call.node.outputs, strict=False)):
        result = narrowed(value, call.output_dtype(index))
        if result is None:
            call.refuse("elements of a type that TFLite has no kernel for, in a model without the result's type")
        narrow.append(result)
    return tuple(narrow)


def _results(call: Call, lowering: Lowering) -> tuple[Value, ...]:
    """What the lowering gives, which has to be every output that somebody uses."""
    results = lowering(call)
    results = results if isinstance(results, tuple) else (results,)
    for output in call.node.outputs[len(results) :]:
        if output.uses() or output.is_graph_output():
            call.refuse(f"its output {output.name!r}; only the first {len(results)} are known")
    return results


def _computed_now(call: Call, lowering: Lowering) -> tuple[Value, ...]:
    """A node of constants, run once with TensorFlow's eager kernels."""
    inherited = call.inputs[0].parameter if call.inputs[0] and call.node.op_type in _KEEPS_ITS_PARAMETER else None
    with tf.init_scope():
        bare = [None if value is None else replace(value, parameter=None) for value in call.inputs]
        settled: list[Value] = []
        for index, value in enumerate(_results(Call(call.node, bare, Trace(Weights()), call.opset), lowering)):
            if isinstance(value, TensorSequence):
                settled.append(value)
                continue
            tensor = call.trace.tensor(value, Layout.identity(value.rank))
            array = tensor.numpy() if hasattr(tensor, "numpy") else np.asarray(tensor)
            wanted = call.output_dtype(index)
            array = array if wanted is None else array.astype(wanted.as_numpy_dtype)
            settled.append(constant(array, inherited or _parameter_of_its_own(call, index, array)))
        return tuple(settled)


def _parameter_of_its_own(call: Call, index: int, array: Array) -> str | None:
    """The name of a large result as a weight: a constant of the graph itself is copied again and again on the way.

    Masks and position biases of Swin3D-B are 300 MB, standardised weights of an NFNet as much as its parameters.
    """
    return str(call.node.outputs[index].name) if array.nbytes >= _LARGE_CONSTANT else None


def _settled(call: Call, index: int, value: Value) -> Value:
    """The value with what ONNX's shape inference knows of its sizes, under ONNX's names for the dynamic ones."""
    if not value.is_tensor or index >= len(call.node.outputs):
        return value
    shape = call.node.outputs[index].shape
    if shape is None or len(shape) != value.rank:
        return value
    tensor = value.data
    static = value.layout.physical([dim if isinstance(dim, int) else -1 for dim in shape])
    if any(mine is None and theirs != -1 for mine, theirs in zip(tensor.shape, static, strict=True)):
        tensor = _with_sizes(tensor, static)
    ours = broadcast_sizes(call.inputs, value) if call.node.op_type in _ELEMENTWISE else value.sizes
    sizes = [
        call.trace.named(size, dim.value if isinstance(dim, ir.SymbolicDim) else None) if known is None else known
        for size, dim, known in zip(ours, shape, value.layout.logical(tensor.shape), strict=True)
    ]
    return replace(value, data=tensor, sizes=tuple(sizes))


def _with_sizes(tensor: Tensor, static: Sequence[object]) -> Tensor:
    """Sizes told to TensorFlow. Fully static ones as a reshape: TFLite has no builtin for what it cannot prove."""
    if -1 not in static and 0 not in static:
        return tf.reshape(tensor, static)
    return tf.ensure_shape(tensor, [None if size == -1 else size for size in static])


def as_tensor(trace: Trace, value: Value, layout: Layout, dtype: tf.DType) -> Tensor:
    """A graph output, stored and typed as the signature declares."""
    tensor = tf.convert_to_tensor(trace.tensor(value, layout))
    return tensor if tensor.dtype == dtype else tf.cast(tensor, dtype)
