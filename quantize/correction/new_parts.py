"""New tensors and operators of an unpacked float model."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.stepping.contents import Array, name_of


def new_constant(model: Any, graph: Any, name: str, values: Array) -> int:
    """The index of a float tensor with these values."""
    from ai_edge_litert.schema_py_generated import BufferT, TensorT, TensorType

    tensor, buffer = TensorT(), BufferT()
    tensor.name, tensor.shape, tensor.hasRank = name.encode(), list(values.shape), True
    tensor.type, tensor.buffer = TensorType.FLOAT32, len(model.buffers)
    buffer.data = np.frombuffer(np.ascontiguousarray(values, np.float32).tobytes(), np.uint8)
    model.buffers.append(buffer)
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def new_activation(graph: Any, like: int, name: str) -> int:
    """The index of a tensor of the shape and type of another, named after it."""
    from ai_edge_litert.schema_py_generated import TensorT

    old, new = graph.tensors[like], TensorT()
    new.name = f"{name_of(old)}/{name}".encode()
    new.shape, new.shapeSignature, new.type = old.shape, old.shapeSignature, old.type
    new.hasRank, new.buffer = old.hasRank, 0
    graph.tensors.append(new)
    return len(graph.tensors) - 1


def new_operator(model: Any, kind: str, options: str, inputs: list[int], output: int) -> Any:
    """An operator by TFLite's name, ``options`` being its table of options (``Mul``, ``DepthwiseConv2D``)."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_quantizer.transformations.transformation_utils import add_op_code

    operator = schema.OperatorT()
    operator.opcodeIndex = add_op_code(getattr(schema.BuiltinOperator, kind), model.operatorCodes)
    operator.inputs, operator.outputs = inputs, [output]
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{options}Options")
    operator.builtinOptions = getattr(schema, f"{options}OptionsT")()
    return operator
