"""Tensors that no op reads or writes, edited in the unpacked flatbuffer.

TensorFlow's converter moves the constants of a WHILE into its body and leaves in the main graph a tensor of the same
buffer that nobody uses. The quantizer library rewrites the buffer for the body's tensor; the leftover then promises
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


def _listed(indices: Any) -> list[int]:
    return [] if indices is None else list(indices)
