"""A ``.tflite`` file as objects that can be edited, and back."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np


def unpack(content: bytes) -> Any:
    """The model as objects that can be edited. Weights stay views of ``content``: they are replaced, never written."""
    from ai_edge_litert.tools.flatbuffer_utils import read_model_from_bytearray

    views = read_model_from_bytearray(content)
    return copy.deepcopy(views, {id(views.buffers): views.buffers})


def write(unpacked: Any, out: Path) -> None:
    """Pack a model into a file, without the data that nothing in it reads any more."""
    import flatbuffers

    _leave_out_unread_data(unpacked)
    _vectors_at_once(unpacked)
    constants = sum(len(buffer.data) for buffer in unpacked.buffers if buffer.data is not None)
    builder = flatbuffers.Builder(constants + (1 << 20))  # sized at once: it grows by doubling and copying
    builder.Finish(unpacked.Pack(builder), file_identifier=b"TFL3")
    out.write_bytes(memoryview(builder.Bytes)[builder.Head() :])


def _leave_out_unread_data(unpacked: Any) -> None:
    """Buffers keep their numbers, for tensors name them so; those of constants that were replaced are emptied."""
    read = {int(tensor.buffer) for graph in unpacked.subgraphs for tensor in graph.tensors}
    read |= {int(entry.buffer) for entry in unpacked.metadata or []}
    for number, buffer in enumerate(unpacked.buffers):
        if number not in read:
            buffer.data = None


def _vectors_at_once(unpacked: Any) -> None:
    """Scales and zero points as arrays, which are written whole: a list, number by number, takes twice as long."""
    for graph in unpacked.subgraphs:
        for stored in (tensor.quantization for tensor in graph.tensors if tensor.quantization is not None):
            if stored.scale is not None and stored.zeroPoint is not None:
                stored.scale, stored.zeroPoint = np.array(stored.scale, "<f4"), np.array(stored.zeroPoint, "<i8")
