"""A product with a constant a channel, and a sum with another, as one depthwise convolution: one rounding, not two.

Batch norm that no convolution could take in, as before those of a DenseNet, is such a pair. Its result lies between
the two in 32 bits then. A filter of one number a channel is stored as it is: each channel has a scale of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quantize.correction.new_parts import new_constant, new_operator
from verify.stepping.contents import Array, constant, name_of, name_of_op


@dataclass(frozen=True)
class _Affine:
    """``source`` times ``factors`` plus ``offsets``, both with a number a channel."""

    product: Any
    total: Any
    source: int
    factors: Array
    offsets: Array


def use_one_affine(model: Any, subgraph: int) -> int:
    """Change such pairs over images in an unpacked float model; how many there were."""
    graph = model.subgraphs[subgraph]
    pairs = [pair for pair in (_affine(model, graph, each) for each in graph.operators) if pair is not None]
    instead = {id(pair.total): _convolution(model, graph, pair) for pair in pairs}
    gone = {id(pair.product) for pair in pairs}
    graph.operators = [instead.get(id(each), each) for each in graph.operators if id(each) not in gone]
    return len(pairs)


def _affine(model: Any, graph: Any, product: Any) -> _Affine | None:
    if name_of_op(model, product) != "MUL" or product.builtinOptions.fusedActivationFunction:
        return None
    between = int(product.outputs[0])
    readers = [each for each in graph.operators if between in map(int, each.inputs)]
    if len(readers) != 1 or name_of_op(model, readers[0]) != "ADD" or between in map(int, graph.outputs):
        return None
    source, factors = _sides(model, graph, product)
    summed, offsets = _sides(model, graph, readers[0])
    shape = graph.tensors[source].shape
    if factors is None or offsets is None or summed != between or len(shape) != 4:
        return None
    if not factors.size == offsets.size == factors.shape[-1] == offsets.shape[-1] == int(shape[-1]):
        return None
    return _Affine(product, readers[0], source, factors, offsets)


def _sides(model: Any, graph: Any, operator: Any) -> tuple[int, Array | None]:
    """The activation, and the constant if there is one with a channel axis."""
    first, second = map(int, operator.inputs)
    for source, other in ((first, second), (second, first)):
        values = constant(model, graph, other)
        if values is not None and values.ndim:
            return source, values
    return first, None


def _convolution(model: Any, graph: Any, pair: _Affine) -> Any:
    from ai_edge_litert.schema_py_generated import Padding

    output = int(pair.total.outputs[0])
    name = name_of(graph.tensors[output])
    weights = new_constant(model, graph, f"{name}/factors", pair.factors.reshape(1, 1, 1, -1))
    bias = new_constant(model, graph, f"{name}/offsets", pair.offsets.reshape(-1))
    made = new_operator(model, "DEPTHWISE_CONV_2D", "DepthwiseConv2D", [pair.source, weights, bias], output)
    options = made.builtinOptions
    options.padding, options.depthMultiplier = Padding.VALID, 1
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    options.fusedActivationFunction = pair.total.builtinOptions.fusedActivationFunction
    return made
