"""ONNX's own backend tests as they lie in the wheel: one node (or a graph of them), its inputs, what must come out."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper

DATA = Path(onnx.__file__).parent / "backend/test/data/node"
RELATIVE, ABSOLUTE = 1e-4, 2e-5
"""Several float32 ulps after a handful of operations; onnx's own backend tests allow 1e-3 and 1e-7."""
HALF_RELATIVE, HALF_ABSOLUTE = 2e-3, 2e-3
"""Two ulps of float16."""

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Case:
    """What a case's model is made of."""

    name: str
    ops: tuple[str, ...]
    """Every op of the graph and its subgraphs, with its domain unless that is ONNX's own, sorted."""
    types: tuple[str, ...]
    """Element types of inputs and outputs (``FLOAT``, ``STRING`` …), or ``sequence`` and ``optional``, sorted."""

    @property
    def op(self) -> str:
        """The op that the case is about: that of the graph; of an expanded function, what its name begins with."""
        return self.ops[0] if len(self.ops) == 1 else self.name


def case_names(prefixes: Sequence[str] = ("test_",), data: Path = DATA) -> tuple[str, ...]:
    """The folders that hold a model, sorted."""
    return tuple(
        folder.name
        for folder in sorted(data.iterdir())
        if folder.name.startswith(tuple(prefixes)) and _has_model(folder)
    )


def _has_model(folder: Path) -> bool:
    return (folder / "model.onnx").is_file()


@functools.cache
def read_case(name: str, data: Path = DATA) -> Case:
    """The case's ops and types."""
    graph = onnx.load(data / name / "model.onnx").graph
    types = {_type_name(value.type) for value in (*graph.input, *graph.output)}
    return Case(name, tuple(sorted(_ops(graph))), tuple(sorted(types)))


def _ops(graph: onnx.GraphProto) -> set[str]:
    found = set()
    for node in graph.node:
        found.add(f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type)
        for attribute in node.attribute:
            for subgraph in (attribute.g, *attribute.graphs):
                found |= _ops(subgraph)
    return found


def _type_name(kind: onnx.TypeProto) -> str:
    which = kind.WhichOneof("value")
    if which != "tensor_type":
        return str(which).removesuffix("_type")
    return str(TensorProto.DataType.Name(kind.tensor_type.elem_type))


def tensors(name: str, kind: str, data: Path = DATA) -> list[Array]:
    """The case's ``input`` or ``output`` tensors, in order."""
    folder = data / name / "test_data_set_0"
    files = sorted(folder.glob(f"{kind}_*.pb"), key=lambda file: int(file.stem.split("_")[1]))
    return [numpy_helper.to_array(TensorProto.FromString(file.read_bytes())) for file in files]


def difference(expected: Array, actual: Array) -> str:
    """How two tensors differ; empty if they are the same up to rounding."""
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        return f"{actual.dtype}{actual.shape} for {expected.dtype}{expected.shape}"
    if expected.dtype.kind in "fc":
        half = expected.dtype == np.float16
        tolerances = (HALF_RELATIVE, HALF_ABSOLUTE) if half else (RELATIVE, ABSOLUTE)
        same = np.allclose(actual, expected, *tolerances, equal_nan=True)
    else:
        same = np.array_equal(actual, expected)
    if same:
        return ""
    return f"max error {np.max(np.abs(actual.astype(np.float64) - expected.astype(np.float64))):.3g}"
