"""Ops without an int8 kernel, or with one that asks too much, as ops with one: a float file to a float file, exactly.

- NEG → MUL by -1. LiteRT's kernel negates the stored numbers and wraps -128, which no range prevents.
- SQUARE → MUL by itself.
- ADD_N → ADD, one after the other, in the order in which the kernel adds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from quantize.unpacked import unpack, write
from verify.runners.tflite_file import open_model
from verify.runners.tflite_inspect import opcode_names


@contextmanager
def rewritten(model: Path) -> Iterator[Path]:
    """The file with such ops replaced, for as long as the context is open; the very file where it has none.

    Names of tensors stay. Calibrate and quantize what this gives.
    """
    with open_model(model) as opened:
        present = set(opcode_names(opened)) & set(_REWRITES)
    if not present:
        yield model
        return
    unpacked = unpack(model.read_bytes())
    for graph in unpacked.subgraphs:
        graph.operators = [new for old in graph.operators for new in _replaced(unpacked, graph, old)]
    with tempfile.TemporaryDirectory(prefix="quantize-") as folder:
        path = Path(folder) / model.name
        write(unpacked, path)
        yield path


def _replaced(model: Any, graph: Any, operator: Any) -> list[Any]:
    rewrite = _REWRITES.get(_name(model, operator))
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
    from ai_edge_litert.schema_py_generated import TensorType
    from ai_edge_quantizer.transformations.transformation_utils import add_new_constant_tensor

    name = graph.tensors[operator.outputs[0]].name.decode() + "/minus_one"
    minus_one = add_new_constant_tensor(
        name.encode(), np.array(-1, np.float32), TensorType.FLOAT32, graph, model.buffers, [], True
    )
    return [_binary(model, "MUL", operator.inputs[0], minus_one, operator.outputs[0])]


def _squared(model: Any, graph: Any, operator: Any) -> list[Any]:
    del graph
    return [_binary(model, "MUL", operator.inputs[0], operator.inputs[0], operator.outputs[0])]


def _added(model: Any, graph: Any, operator: Any) -> list[Any]:
    total, *rest = map(int, operator.inputs)
    steps = []
    for number, addend in enumerate(rest, start=1):
        target = operator.outputs[0] if number == len(rest) else _partial_sum(graph, operator.outputs[0], number)
        steps.append(_binary(model, "ADD", total, addend, target))
        total = target
    return steps or [operator]


def _partial_sum(graph: Any, like: int, number: int) -> int:
    from ai_edge_litert.schema_py_generated import TensorT

    total, new = graph.tensors[like], TensorT()
    new.name = f"{total.name.decode()}/{number}".encode()
    new.shape, new.shapeSignature, new.type, new.hasRank = total.shape, total.shapeSignature, total.type, total.hasRank
    new.buffer = 0
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


_REWRITES: dict[str, Callable[[Any, Any, Any], list[Any]]] = {"NEG": _negated, "SQUARE": _squared, "ADD_N": _added}
