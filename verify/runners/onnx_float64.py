"""What an ONNX graph means, to float64: a widened copy of it, evaluated by ONNX's reference implementation.

onnxruntime has no float64 kernels for Conv, AveragePool, Erf, Resize and others (1.23), so it cannot serve.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from verify.batches import Array, batch_paths, read_batch, write_batch
from verify.rounding.ancestry import Uncountable
from verify.rounding.onnx_graph import graph_nodes
from verify.rounding.onnx_ops import op_roundings

MOST_SAMPLES = 3
MOST_WORK = 2e9
"""Multiply-adds over all samples: about half a second."""
MOST_LOOPED = 1e5
"""Values of ops that the reference implementation computes one by one in Python."""
LOOPED = frozenset({"Upsample", "GridSample", "RoiAlign", "DeformConv", "MaxUnpool", "LpPool", "Col2Im"})


def write_float64(path: Path, batches: Path, outputs: Path) -> str:
    """Job: run the first batches through the graph at float64 and write what comes out; only as many as are cheap.

    Returns why nothing was written, or an empty text.
    """
    paths = batch_paths(batches)
    if not paths:
        return "there are no samples"
    first = read_batch(paths[0])
    work, reason = _work(path, {name: array.shape for name, array in first.items()})
    if reason or work > MOST_WORK:
        return reason or f"{work / 1e9:.1f} billion multiply-adds a batch are too many to do in float64"
    try:
        evaluator, names = _evaluator(path)
        samples = 0
        for at in paths:
            batch = read_batch(at)
            size = max((len(array) for array in batch.values() if array.ndim), default=1)
            samples += size
            if at != paths[0] and (samples > MOST_SAMPLES or samples * work > MOST_WORK):
                break
            with np.errstate(all="ignore"):
                results = evaluator.run(None, {name: _wide(array) for name, array in batch.items()})
            write_batch(outputs / at.name, dict(zip(names, (np.asarray(each) for each in results), strict=True)))
    except Exception as error:  # the reference implementation raises whatever numpy and its own ops raise
        _forget(outputs)
        return f"ONNX's reference implementation cannot run it at float64: {str(error).splitlines()[0][:200]}"
    return ""


def _forget(outputs: Path) -> None:
    for at in batch_paths(outputs):
        at.unlink()


def _work(path: Path, sizes: dict[str, tuple[int, ...]]) -> tuple[float, str]:
    """Multiply-adds of one batch, and why it should not be run."""
    total, looped = 0.0, 0
    for node in graph_nodes(path, sizes):
        try:
            total += op_roundings(node) * math.prod(node.made)
            looped += math.prod(node.made) if node.op in LOOPED else 0
        except Uncountable:
            continue
    return total, f"{looped} values would be made one by one in Python" if looped > MOST_LOOPED else ""


def _evaluator(path: Path) -> tuple[Any, list[str]]:
    import onnx
    from onnx.reference import ReferenceEvaluator

    from verify.runners.onnx_float64_ops import FAST_OPS

    model = widened(onnx.load(str(path)))
    return ReferenceEvaluator(model, new_ops=list(FAST_OPS)), [output.name for output in model.graph.output]


def widened(model: Any) -> Any:
    """The same ``onnx.ModelProto`` with every float32 and float16 in it a float64; the model itself is changed."""
    import onnx

    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    for graph in _graphs(model.graph):
        for value in (*graph.input, *graph.output, *graph.value_info):
            tensor = value.type.tensor_type
            tensor.elem_type = _wide_type(tensor.elem_type)
        for tensor in graph.initializer:
            _widen_tensor(tensor)
        for node in graph.node:
            _widen_node(node)
    return model


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from _graphs(inner)


def _widen_node(node: Any) -> None:
    import onnx

    for attribute in node.attribute:
        if attribute.name in {"to", "dtype"} and attribute.HasField("i"):
            attribute.i = _wide_type(attribute.i)
        elif attribute.HasField("t"):
            _widen_tensor(attribute.t)
        elif node.op_type == "Constant" and attribute.name in {"value_float", "value_floats"}:
            number = attribute.f if attribute.name == "value_float" else list(attribute.floats)
            tensor = onnx.numpy_helper.from_array(np.asarray(number, np.float64))
            attribute.CopyFrom(onnx.helper.make_attribute("value", tensor))
    names = {attribute.name for attribute in node.attribute}
    if node.op_type == "ConstantOfShape" and "value" not in names:
        zero = onnx.numpy_helper.from_array(np.zeros(1, np.float64))
        node.attribute.append(onnx.helper.make_attribute("value", zero))


def _widen_tensor(tensor: Any) -> None:
    import onnx

    if _wide_type(tensor.data_type) != tensor.data_type:
        tensor.CopyFrom(
            onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor).astype(np.float64), tensor.name)
        )


def _wide_type(element_type: int) -> int:
    import onnx

    narrow = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    return int(onnx.TensorProto.DOUBLE) if element_type in narrow else element_type


def _wide(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array
