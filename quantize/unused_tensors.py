"""Tensors that nobody uses, edited in the unpacked flatbuffer.

The quantizer library leaves a part that no op reads in float while the other parts become int8; XNNPACK then refuses
the SPLIT. And TensorFlow's converter moves the constants of a WHILE into its body and leaves in the main graph a tensor
of the same buffer that nobody uses. The library rewrites the buffer for the body's tensor; the leftover then promises
more bytes than there are, and LiteRT refuses the file.
"""

from __future__ import annotations

from typing import Any

_NO_DATA = 0
"""The buffer that is empty by definition."""


def release_buffers(model: Any) -> None:
    """Take the data from every tensor that is no op's and no graph's input or output."""
    for graph in model.subgraphs:
        used = {int(index) for operator in graph.operators for index in (*operator.inputs, *operator.outputs)}
        used |= {int(index) for index in (*graph.inputs, *graph.outputs)}
        used |= {int(index) for operator in graph.operators for index in _listed(operator.intermediates)}
        for index, tensor in enumerate(graph.tensors):
            if index not in used:
                tensor.buffer = _NO_DATA


def type_unread_parts(model: Any) -> None:
    """Store what a SPLIT or UNPACK gives and no op reads as its other parts are stored."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    cutting = {BuiltinOperator.SPLIT, BuiltinOperator.SPLIT_V, BuiltinOperator.UNPACK}
    for graph in model.subgraphs:
        read = {int(index) for operator in graph.operators for index in operator.inputs} | set(map(int, graph.outputs))
        for operator in graph.operators:
            if model.operatorCodes[operator.opcodeIndex].builtinCode in cutting:
                parts = [graph.tensors[at] for at in operator.outputs if int(at) in read]
                for at in operator.outputs:
                    if int(at) not in read and parts:
                        graph.tensors[at].type = parts[0].type
                        graph.tensors[at].quantization = parts[0].quantization


def _listed(indices: Any) -> list[int]:
    return [] if indices is None else list(indices)
