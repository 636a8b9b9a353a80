"""Layer normalisations as TFLite's own L2_NORMALIZATION, which keeps the squares it sums in 32 bits.

(x - mean) / √(variance + ε) is √channels · (x - mean) / |x - mean| but for ε. As converters write it, squares and their
mean are activations of their own: in 8 bits the quiet rows of an activation have a variance of next to nothing, or of
nothing. √channels goes into the weights of the layers that read the result.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from quantize.correction.new_parts import new_activation, new_constant, new_operator
from verify.stepping.contents import constant, name_of, name_of_op, replace_constant

_CHAIN = ("MEAN", "ADD", "RSQRT", "MUL")
"""What follows the squares."""
_MOST_DIMENSIONS = 4
"""That L2_NORMALIZATION takes."""


@dataclass(frozen=True)
class _Norm:
    """The centred activation, what comes of it, and the operators between the two."""

    centred: int
    result: int
    channels: int
    between: tuple[Any, ...]


def use_one_norm(model: Any, subgraph: int) -> int:
    """Change the normalisations of an unpacked float model; how many there were."""
    graph = model.subgraphs[subgraph]
    norms = list(_norms(model, graph))
    for norm in norms:
        _replace(model, graph, norm)
    return len(norms)


def _norms(model: Any, graph: Any) -> list[_Norm]:
    readers: dict[int, list[Any]] = {}
    for operator in graph.operators:
        for at in map(int, operator.inputs):
            readers.setdefault(at, []).append(operator)
    given = set(map(int, graph.outputs))
    found = []
    for operator in graph.operators:
        norm = _norm(model, graph, operator, readers)
        if norm is not None and not given & {int(each.outputs[0]) for each in norm.between[:-1]}:
            found.append(norm)
    return found


def _norm(model: Any, graph: Any, squared: Any, readers: dict[int, list[Any]]) -> _Norm | None:
    if name_of_op(model, squared) not in {"SQUARED_DIFFERENCE", "MUL"}:
        return None
    chain = [squared]
    for kind in _CHAIN:
        after = readers.get(int(chain[-1].outputs[0]), [])
        if len(after) != 1 or name_of_op(model, after[0]) != kind:
            return None
        chain.append(after[0])
    _, averaged, shifted, _, product = chain
    scale = int(chain[3].outputs[0])
    (centred,) = [int(at) for at in product.inputs if int(at) != scale] or [-1]
    shape = graph.tensors[centred].shape
    axes = constant(model, graph, int(averaged.inputs[1]), np.int32)
    if not _squares(model, squared, centred, readers) or axes is None or len(shape) > _MOST_DIMENSIONS:
        return None
    if list(np.ravel(axes) % len(shape)) != [len(shape) - 1]:
        return None
    if all(constant(model, graph, int(at)) is None for at in shifted.inputs):
        return None
    return _Norm(centred, int(product.outputs[0]), int(shape[-1]), tuple(chain))


def _squares(model: Any, squared: Any, centred: int, readers: dict[int, list[Any]]) -> bool:
    """Whether the op gives the squares of ``centred``: it is taken twice, or what it is the difference of is."""
    operands = sorted(map(int, squared.inputs))
    if name_of_op(model, squared) == "MUL":
        return operands == [centred, centred]
    return any(
        name_of_op(model, each) == "SUB"
        and int(each.outputs[0]) == centred
        and sorted(map(int, each.inputs)) == operands
        for each in readers.get(operands[0], [])
    )


def _replace(model: Any, graph: Any, norm: _Norm) -> None:
    unit = new_activation(graph, norm.result, "unit")
    operator = new_operator(model, "L2_NORMALIZATION", "L2Norm", [norm.centred], unit)
    root = np.float32(np.sqrt(norm.channels))
    gone = {id(each) for each in norm.between}
    operators = []
    for each in graph.operators:
        if each is norm.between[-1]:
            operators.append(operator)
            if not _take_up(model, graph, norm.result, unit, root):
                name = f"{name_of(graph.tensors[norm.result])}/root"
                factor = new_constant(model, graph, name, np.array([root]))
                operators.append(new_operator(model, "MUL", "Mul", [unit, factor], norm.result))
        elif id(each) not in gone:
            operators.append(each)
    graph.operators = operators


def _take_up(model: Any, graph: Any, result: int, unit: int, factor: np.float32) -> bool:
    """Whether all who read ``result`` can read ``unit`` instead, their constants times ``factor``."""
    readers = [each for each in graph.operators if result in map(int, each.inputs)]
    if result in map(int, graph.outputs) or not readers:
        return False
    uses = Counter(int(at) for each in graph.operators for at in each.inputs)
    buffers = Counter(graph.tensors[at].buffer for at in uses.elements() if at >= 0)
    constants = [_factor_of(model, each, result) for each in readers]
    values = [constant(model, graph, at) for at in constants]
    if any(each is None or buffers[graph.tensors[at].buffer] > 1 for each, at in zip(values, constants, strict=True)):
        return False
    for each, at, known in zip(readers, constants, values, strict=True):
        replace_constant(model, graph, at, np.asarray(known) * factor)
        each.inputs = [unit if int(read) == result else int(read) for read in each.inputs]
    return True


def _factor_of(model: Any, operator: Any, result: int) -> int:
    """The input of a reader that ``result`` is multiplied with."""
    kind, taken = name_of_op(model, operator), list(map(int, operator.inputs))
    if kind in {"FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"} and taken[0] == result:
        return taken[1]
    if kind == "MUL" and taken.count(result) == 1:
        return taken[1 - taken.index(result)]
    return -1
