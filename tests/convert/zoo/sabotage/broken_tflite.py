"""A TFLite file that passes the schema's verifier and makes the interpreter abort."""

from __future__ import annotations

import numpy as np


def nine_axes() -> bytes:
    """``MINIMUM`` of a tensor with nine axes and a vector.

    LiteRT 2.1's broadcasting copies shapes into arrays of eight and the process ends by SIGABRT. Found by changing
    fields of a good file at random: about one in 1,500 such changes aborts, one in 150 is a segmentation fault.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: bytes, shape: list[int], buffer: int = 0) -> schema.TensorT:
        made = schema.TensorT()
        made.name, made.shape, made.buffer = name, shape, buffer
        return made

    values = schema.BufferT()
    values.data = np.ones(3, np.float32).view(np.uint8)
    minimum = schema.OperatorT()
    minimum.inputs, minimum.outputs = [0, 1], [2]
    graph = schema.SubGraphT()
    graph.tensors = [tensor(b"nine", [1] * 9), tensor(b"three", [3], buffer=1), tensor(b"least", [1] * 9)]
    graph.operators, graph.inputs, graph.outputs = [minimum], [0], [2]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MINIMUM
    model = schema.ModelT()
    model.version, model.buffers = 3, [schema.BufferT(), values]
    model.subgraphs, model.operatorCodes = [graph], [code]
    builder = flatbuffers.Builder(512)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
