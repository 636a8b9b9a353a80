"""Ops without an int8 kernel, or with one that asks too much, as ops with one: a float file to a float file, exactly.

- NEG → MUL by -1. LiteRT's kernel negates the stored numbers and wraps -128, which no range prevents.
- SQUARE → MUL by itself.
- ADD_N → ADD, one after the other, in the order in which the kernel adds.

For int16 activations also, since those kernels are missing or wrong:

- SQUARED_DIFFERENCE → SUB, MUL by itself.
- HARD_SWISH → ADD of 3 with a ReLU6 fused, MUL, MUL by 1/6.
- PRELU → MUL by 1 and by -1, a ReLU fused to each, MUL of the latter by the slopes, SUB. LiteRT's kernel gives about 0
  for all negative numbers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from quantize.recipe import ACTIVATIONS_INT8, ACTIVATIONS_INT16, TensorRule
from verify.flatbuffer import unpack, write
from verify.runners.tflite_file import open_model, tensor_map
from verify.runners.tflite_inspect import opcode_names

Rewrite = Callable[[Any, Any, Any], list[Any]]
"""(model, subgraph, operator) → the operators in its place."""


@contextmanager
def rewritten(model: Path, activations: TensorRule = ACTIVATIONS_INT8) -> Iterator[Path]:
    """The file with such ops replaced, for as long as the context is open; the very file where it has none.

    Names of tensors stay. Calibrate and quantize what this gives.
    """
    rewrites = {**_REWRITES, **(_WIDE_REWRITES if activations == ACTIVATIONS_INT16 else {})}
    with open_model(model) as opened:
        present, main = set(opcode_names(opened)) & set(rewrites), tensor_map(opened).subgraph
    if not present:
        yield model
        return
    unpacked = unpack(model.read_bytes())
    for graph in unpacked.subgraphs[main : main + 1]:
        graph.operators = [new for old in graph.operators for new in _replaced(rewrites, unpacked, graph, old)]
    with tempfile.TemporaryDirectory(prefix="quantize-") as folder:
        path = Path(folder) / model.name
        write(unpacked, path)
        yield path


def _replaced(rewrites: Mapping[str, Rewrite], model: Any, graph: Any, operator: Any) -> list[Any]:
    rewrite = rewrites.get(_name(model, operator))
    if rewrite is None or not _is_float(graph, operator):
        return [operator]
    return rewrite(model, graph, operator)


def _name(model: Any, operator: Any) -> str:
    from quantize.static_parameters import library_name

    return library_name(int(model.operatorCodes[operator.opcodeIndex].builtinCode))


def _is_float(graph: Any, operator: Any) -> bool:
    from ai_edge_litert.schema_py_generated import TensorType

    return all(graph.tensors[at].type == TensorType.FLOAT32 for at in (*operator.inputs, *operator.outputs))


def _negated(model: Any, graph: Any, operator: Any) -> list[Any]:
    minus_one = _scalar(model, graph, operator, "minus_one", -1)
    return [_binary(model, "MUL", operator.inputs[0], minus_one, operator.outputs[0])]


def _squared(model: Any, graph: Any, operator: Any) -> list[Any]:
    del graph
    return [_binary(model, "MUL", operator.inputs[0], operator.inputs[0], operator.outputs[0])]


def _added(model: Any, graph: Any, operator: Any) -> list[Any]:
    total, *rest = map(int, operator.inputs)
    steps = []
    for number, addend in enumerate(rest, start=1):
        target = operator.outputs[0] if number == len(rest) else _between(graph, operator.outputs[0], number)
        steps.append(_binary(model, "ADD", total, addend, target))
        total = target
    return steps or [operator]


def _squared_difference(model: Any, graph: Any, operator: Any) -> list[Any]:
    difference = _between(graph, operator.outputs[0], 1)
    return [
        _binary(model, "SUB", operator.inputs[0], operator.inputs[1], difference),
        _binary(model, "MUL", difference, difference, operator.outputs[0]),
    ]


def _hard_swish(model: Any, graph: Any, operator: Any) -> list[Any]:
    from ai_edge_litert.schema_py_generated import ActivationFunctionType

    (x,), (y,) = operator.inputs, operator.outputs
    three, sixth = _scalar(model, graph, operator, "three", 3), _scalar(model, graph, operator, "sixth", 1 / 6)
    clipped, product = _between(graph, y, 1), _between(graph, y, 2)
    shifted = _binary(model, "ADD", x, three, clipped)
    shifted.builtinOptions.fusedActivationFunction = ActivationFunctionType.RELU6
    return [shifted, _binary(model, "MUL", x, clipped, product), _binary(model, "MUL", product, sixth, y)]


def _prelu(model: Any, graph: Any, operator: Any) -> list[Any]:
    from ai_edge_litert.schema_py_generated import ActivationFunctionType

    (x, slopes), (y,) = operator.inputs, operator.outputs
    above, below, sloped = (_between(graph, y, number) for number in (1, 2, 3))
    parts = [
        _binary(model, "MUL", x, _scalar(model, graph, operator, "one", 1), above),
        _binary(model, "MUL", x, _scalar(model, graph, operator, "minus_one", -1), below),
    ]
    for part in parts:
        part.builtinOptions.fusedActivationFunction = ActivationFunctionType.RELU
    return [*parts, _binary(model, "MUL", below, slopes, sloped), _binary(model, "SUB", above, sloped, y)]


def _scalar(model: Any, graph: Any, operator: Any, name: str, number: float) -> int:
    from ai_edge_litert.schema_py_generated import TensorType
    from ai_edge_quantizer.transformations.transformation_utils import add_new_constant_tensor

    full_name = f"{graph.tensors[operator.outputs[0]].name.decode()}/{name}"
    array = np.array(number, np.float32)
    return int(add_new_constant_tensor(full_name.encode(), array, TensorType.FLOAT32, graph, model.buffers, [], True))


def _between(graph: Any, like: int, number: int) -> int:
    """A new tensor on the way to one of that shape."""
    from ai_edge_litert.schema_py_generated import TensorT

    result, new = graph.tensors[like], TensorT()
    new.name = f"{result.name.decode()}/{number}".encode()
    new.shape, new.shapeSignature, new.type = result.shape, result.shapeSignature, result.type
    new.hasRank, new.buffer = result.hasRank, 0
    graph.tensors.append(new)
    return len(graph.tensors) - 1


def _binary(model: Any, op: str, left: int, right: int, target: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_quantizer.transformations.transformation_utils import add_op_code

    operator = schema.OperatorT()
    operator.opcodeIndex = add_op_code(getattr(schema.BuiltinOperator, op), model.operatorCodes)
    operator.inputs, operator.outputs = [left, right], [target]
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{op.title()}Options")
    operator.builtinOptions = getattr(schema, f"{op.title()}OptionsT")()
    return operator


_REWRITES: Mapping[str, Rewrite] = {"NEG": _negated, "SQUARE": _squared, "ADD_N": _added}
_WIDE_REWRITES: Mapping[str, Rewrite] = {
    "HARD_SWISH": _hard_swish,
    "PRELU": _prelu,
    "SQUARED_DIFFERENCE": _squared_difference,
}
