"""Constants of a TFLite file."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def float_constant(model: Any, graph: Any, at: int) -> Floats | None:
    """A float32 constant as a view of the file; ``None`` for anything else. Drop it before the file is closed."""
    from ai_edge_litert.schema_py_generated import TensorType

    if at < 0:
        return None
    tensor = graph.Tensors(at)
    buffer = model.Buffers(tensor.Buffer())
    if tensor.Type() != TensorType.FLOAT32 or not buffer.DataLength():
        return None
    shape = [tensor.Shape(axis) for axis in range(tensor.ShapeLength())]
    constant: Floats = buffer.DataAsNumpy().view(np.float32).reshape(shape)
    return constant
