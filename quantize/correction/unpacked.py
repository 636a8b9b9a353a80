"""The layers with constant weights of an unpacked model, float or int8."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verify.stepping.contents import name_of_op


@dataclass(frozen=True)
class Weighted:
    """A convolution, depthwise convolution or fully connected layer whose weights are constants.

    Tensors are given by their index, ``bias`` is -1 where there is none. ``shared`` weights or biases serve other ops
    as well. Weights are (out, h, w, in / groups), depthwise (1, h, w, in × multiplier), fully connected (out, in).
    """

    kind: str
    operator: Any
    input: int
    weights: int
    bias: int
    output: int
    input_channels: int
    shared: bool


def buffer_readers(graph: Any) -> Counter[int]:
    """How many inputs of ops each buffer serves, be it through several tensors."""
    read = (graph.tensors[at] for operator in graph.operators for at in operator.inputs if at >= 0)
    return Counter(int(tensor.buffer) for tensor in read)


def weighted_op(model: Any, graph: Any, operator: Any, readers: Mapping[int, int]) -> Weighted | None:
    """The op as one with weights; ``None`` if it is no such op, or its weights or bias are no constants.

    ``readers`` are the graph's :func:`buffer_readers`.
    """
    kind = name_of_op(model, operator)
    if kind not in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}:
        return None
    taken = [int(at) for at in operator.inputs]
    source, weights, bias = taken[0], taken[1], taken[2] if len(taken) > 2 else -1
    shape = graph.tensors[weights].shape
    if not _is_constant(model, graph, weights) or (bias >= 0 and not _is_constant(model, graph, bias)):
        return None
    entering = graph.tensors[source].shape
    return Weighted(
        kind=kind,
        operator=operator,
        input=source,
        weights=weights,
        bias=bias,
        output=int(operator.outputs[0]),
        input_channels=int(shape[-1]) if kind == "FULLY_CONNECTED" else int(entering[-1]),
        shared=any(readers[graph.tensors[at].buffer] > 1 for at in (weights, bias) if at >= 0),
    )


def _is_constant(model: Any, graph: Any, at: int) -> bool:
    data = model.buffers[graph.tensors[at].buffer].data
    return data is not None and len(data) > 0
