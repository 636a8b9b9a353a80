"""A copy of a TFLite file that gives chosen tensors as outputs besides its own.

LiteRT's CPU delegate, XNNPACK, keeps no values but outputs; without it a net takes up to twice as long and more. What
the copy adds is one list at its end and the offset that leads to it.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from verify.errors import QuantizationFailed
from verify.runners.tflite_file import open_model

_OUTPUTS_SLOT = 8
"""Of a ``SubGraph`` table's offsets: that of ``outputs``, its third field (schema.fbs)."""


def write_shown(model: Path, out: Path, subgraph: int, tensors: Collection[int]) -> None:
    """Write ``out``, which gives ``tensors`` of a subgraph after the outputs that it has."""
    with open_model(model) as opened:
        graph = opened.Subgraphs(subgraph)
        own = [int(at) for at in graph.OutputsAsNumpy()]
        kept = {int(at) for at in graph.InputsAsNumpy()} | {at for at in tensors if graph.Tensors(at).IsVariable()}
        offset = graph._tab.Offset(_OUTPUTS_SLOT)
        if not offset:
            raise QuantizationFailed(f"{model.name} gives no output")
        field = int(graph._tab.Pos + offset)
        del graph
    listed = [*own, *(at for at in tensors if at not in own and at not in kept)]
    content = bytearray(model.read_bytes())
    content += bytes(-len(content) % 4)
    content[field : field + 4] = np.uint32(len(content) - field).tobytes()
    content += np.array([len(listed), *listed], "<u4").tobytes()
    out.write_bytes(content)
