"""A bias of its own for every layer: converters store equal ones once, and leave out those of zeros."""

from __future__ import annotations

from typing import Any

import numpy as np

from quantize.correction.new_parts import new_constant
from quantize.correction.unpacked import buffer_readers
from verify.stepping.contents import Array, constant, name_of, name_of_op

_OUTPUT_AXES = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}


def give_own_biases(model: Any) -> None:
    """Change an unpacked float model so that no two layers share a bias, and none lacks one. It computes the same."""
    for graph in model.subgraphs:
        readers = buffer_readers(graph)
        for operator in graph.operators:
            axis = _OUTPUT_AXES.get(name_of_op(model, operator))
            weights = None if axis is None else constant(model, graph, int(operator.inputs[1]))
            if axis is None or weights is None:
                continue
            bias = int(operator.inputs[2]) if len(operator.inputs) > 2 else -1
            if bias < 0:
                _put(model, graph, operator, np.zeros(weights.shape[axis], np.float32))
            elif readers[graph.tensors[bias].buffer] > 1:
                values = constant(model, graph, bias)
                if values is not None:
                    _put(model, graph, operator, values)


def _put(model: Any, graph: Any, operator: Any, values: Array) -> None:
    name = f"{name_of(graph.tensors[int(operator.outputs[0])])}/own_bias"
    operator.inputs = [*map(int, operator.inputs[:2]), new_constant(model, graph, name, values)]
