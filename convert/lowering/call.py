"""What a lowering function sees of the node it lowers: typed attributes, and inputs in the form it asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from convert.layout.dims import Dim, Size
from convert.layout.layout import Layout
from convert.layout.value import Array, Tensor, Value
from convert.lowering.source import describe
from convert.lowering.trace import Trace
from verify.errors import UnsupportedOp

REMEDY = "convert with --lowering onnx2tf, or rewrite that line of the model with ops that are known"

_FLOATS = ("float16", "float32", "float64")
NUMBER_TYPES = frozenset(
    tf.as_dtype(name)
    for name in ("bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)), *_FLOATS)
)
"""The element types that TensorFlow computes with."""
_NUMPY_TYPES = {
    int(kind): kind.numpy()
    for kind in ir.DataType
    if kind.name in {dtype.name.upper() for dtype in NUMBER_TYPES} | {"FLOAT", "DOUBLE"}
}


LowerSubgraph = Callable[[ir.Graph, Sequence[Value], Trace], tuple[Value, ...]]
"""The outputs of a subgraph from its inputs; it reads the values around the node by itself."""


class Call:
    """One node being lowered. Inputs are counted from 0; a missing optional input is ``None``."""

    def __init__(
        self,
        node: ir.Node,
        inputs: Sequence[Value | None],
        trace: Trace,
        opset: int,
        lower_subgraph: LowerSubgraph | None = None,
    ) -> None:
        self.node = node
        self.inputs = tuple(inputs)
        self.trace = trace
        self.opset = opset
        self._lower_subgraph = lower_subgraph

    def refuse(self, reason: str) -> NoReturn:
        """This use of the op is not supported."""
        raise UnsupportedOp(f"{describe(self.node)}: {reason}", fix=REMEDY)

    # inputs

    def has(self, index: int) -> bool:
        """Whether that optional input is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def value(self, index: int) -> Value:
        """The input as it is."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            self.refuse(f"input {index} is required and missing")
        return value

    def constant(self, index: int) -> Array | None:
        """The input's numbers if they are known now, else ``None``; ``None`` too when it is missing."""
        value = self.inputs[index] if self.has(index) else None
        return np.asarray(value.data) if value is not None and value.is_constant else None

    def is_constant(self, index: int, number: float) -> bool:
        """Whether every entry of the input is known to be that number."""
        array = self.constant(index)
        return array is not None and bool((array == number).all())

    def require_constant(self, index: int, what: str) -> Array:
        """The input's numbers, which have to be known now."""
        array = self.constant(index)
        if array is None:
            self.refuse(f"{what} is computed when the model runs; it has to be a constant")
        return array

    def sizes(self, index: int) -> tuple[Size, ...] | None:
        """A 1-D integer input as sizes, static and dynamic ones; ``None`` if it is computed when the model runs."""
        value = self.value(index)
        if value.is_tensor:
            return None
        flat: list[object] = list(np.asarray(value.data).reshape(-1))
        return tuple(item if isinstance(item, Dim) else int(item) for item in flat)  # type: ignore[call-overload]

    def tensor(self, index: int, layout: Layout | None = None) -> Tensor:
        """The input as a tensor stored as ``layout``, by default as ONNX has it."""
        value = self.value(index)
        return self.trace.tensor(value, layout or Layout.identity(value.rank))

    def channels_last(self, index: int) -> Tensor:
        """The input as a channels-last tensor."""
        return self.tensor(index, Layout.channels_last(self.value(index).rank))

    def unfolded(self, index: int, axes: Sequence[int]) -> Value:
        """The input, stored as it is but for folds of ``axes``; a constant becomes a tensor."""
        value = self.value(index)
        layout = value.layout.unfolded(axes)
        return Value(self.trace.tensor(value, layout), layout, value.sizes)

    def weight(self, index: int, array: Array, shape: tuple[int, ...] | None = None) -> Tensor:
        """``array``, made from the constant input, as a variable if that input is a parameter of the model.

        ``shape`` is the weight's, where the array has more axes than it is to have.
        """
        return self.trace.weight(self.value(index).parameter, array, shape)

    # results

    def result(self, tensor: Tensor, layout: Layout | None = None) -> Value:
        """A tensor as the node's output, stored as ``layout``, by default as ONNX has it."""
        layout = layout or Layout.identity(tensor.shape.rank)
        return Value(tensor, layout, self.trace.sizes(tensor, layout))

    def channels_last_result(self, tensor: Tensor) -> Value:
        """A channels-last tensor as the node's output."""
        return self.result(tensor, Layout.channels_last(tensor.shape.rank))

    def output_dtype(self, index: int = 0) -> tf.DType | None:
        """What ONNX says the output's type is, if it says."""
        dtype = self.node.outputs[index].dtype
        return tf.as_dtype(dtype.numpy()) if dtype is not None else None

    # attributes

    def _attribute(self, name: str) -> ir.Attr | None:
        return self.node.attributes.get(name)

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        attribute = self._attribute(name)
        return attribute.as_int() if attribute is not None else default

    def number(self, name: str, default: float) -> float:
        """A float attribute."""
        attribute = self._attribute(name)
        return attribute.as_float() if attribute is not None else default

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        attribute = self._attribute(name)
        return attribute.as_string() if attribute is not None else default

    def integers(self, name: str) -> tuple[int, ...] | None:
        """An attribute that lists integers, ``None`` if it is not given."""
        attribute = self._attribute(name)
        return tuple(attribute.as_ints()) if attribute is not None else None

    def dtype(self, name: str) -> tf.DType:
        """An attribute that names an element type; float32 if it is not given."""
        dtype = tf.as_dtype(_NUMPY_TYPES.get(self.integer(name, 1), np.object_))
        if dtype not in NUMBER_TYPES:
            self.refuse(f"the element type {ir.DataType(self.integer(name, 1)).name}")
        return dtype

    def graph(self, name: str) -> ir.Graph:
        """An attribute that holds a subgraph."""
        attribute = self._attribute(name)
        if attribute is None:
            self.refuse(f"it has no subgraph {name!r}")
        return attribute.as_graph()

    def lower_subgraph(self, graph: ir.Graph, values: Sequence[Value], trace: Trace) -> tuple[Value, ...]:
        """The outputs of one of the node's subgraphs, from its inputs."""
        assert self._lower_subgraph is not None
        return self._lower_subgraph(graph, values, trace)

    def is_used(self, index: int) -> bool:
        """Whether anybody reads that output."""
        outputs = self.node.outputs
        return index < len(outputs) and (bool(outputs[index].uses()) or outputs[index].is_graph_output())

    def integers_input_or_attribute(self, index: int, name: str) -> tuple[int, ...] | None:
        """What older operator sets have as an attribute and newer ones as an input (axes, split, pads …)."""
        if not self.has(index):
            return self.integers(name)
        return tuple(int(item) for item in self.require_constant(index, name).reshape(-1))
