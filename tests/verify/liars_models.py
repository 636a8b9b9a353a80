"""Right models, and wrong ones that other checks pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Dims = list[int | str]
Given = dict[str, Dims]


def _save(path: Path, nodes: list[Any], taken: tuple[str, Dims], given: Given, **constants: np.ndarray) -> Path:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(taken[0], TensorProto.FLOAT, taken[1])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in given.items()],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(path))
    return path


def _weights(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float32)


def write_thousand(path: Path, *, nan: bool = False) -> Path:
    """(N, 8) → ``scores`` (N, 1000), one of them NaN."""
    bias = _weights(1, 1000)
    if nan:
        bias[617] = np.nan
    node = helper.make_node("Gemm", ["features", "weights", "bias"], ["scores"])
    return _save(path, [node], ("features", ["N", 8]), {"scores": ["N", 1000]}, weights=_weights(0, 8, 1000), bias=bias)


def write_maps(path: Path, *, height_width_swapped: bool = False) -> Path:
    """(N, 3, 12, 12) → ``maps`` (N, 4, 12, 12)."""
    order = [0, 1, 3, 2] if height_width_swapped else [0, 1, 2, 3]
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Transpose", ["conv"], ["maps"], perm=order),
    ]
    return _save(path, nodes, ("image", ["N", 3, 12, 12]), {"maps": ["N", 4, 12, 12]}, kernel=_weights(0, 4, 3, 3, 3))


def write_attention(path: Path, *, axis: int = -1) -> Path:
    """(N, 6, 8) → ``mixed`` (N, 6, 8); attention is a softmax over the last axis, the keys."""
    nodes = [
        *(helper.make_node("MatMul", ["tokens", f"to_{name}"], [name]) for name in ("query", "key", "value")),
        helper.make_node("Transpose", ["key"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["query", "turned"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["attention"], axis=axis),
        helper.make_node("MatMul", ["attention", "value"], ["mixed"]),
    ]
    constants = {f"to_{name}": _weights(seed, 8, 8) for seed, name in enumerate(("query", "key", "value"))}
    return _save(path, nodes, ("tokens", ["N", 6, 8]), {"mixed": ["N", 6, 8]}, **constants)


def write_two_heads(path: Path, *, boxes: bool = True) -> Path:
    """(N, 8) → ``logits`` (N, 10) and ``boxes`` (N, 4)."""
    nodes = [
        helper.make_node("MatMul", ["features", "classes"], ["logits"]),
        helper.make_node("MatMul", ["features", "places"], ["boxes"]),
    ]
    given: Given = {"logits": ["N", 10]} | ({"boxes": ["N", 4]} if boxes else {})
    constants = {"classes": _weights(0, 8, 10), "places": _weights(1, 8, 4)}
    return _save(path, nodes, ("features", ["N", 8]), given, **constants)


def write_head(path: Path, *, gain: float = 1.0, first_sample_only: bool = False, wide: bool = False) -> Path:
    """(N, 8) → ``logits`` (N, 10), or the first sample's alone, or ``wide`` as float64."""
    ends = {"start": np.array([0], np.int64), "end": np.array([1], np.int64), "axis": np.array([0], np.int64)}
    product = helper.make_node(
        "MatMul", ["features", "classes"], ["logits" if not first_sample_only and not wide else "x"]
    )
    nodes = [product]
    if first_sample_only:
        nodes.append(helper.make_node("Slice", ["x", *ends], ["logits"]))
    if wide:
        nodes.append(helper.make_node("Cast", ["x"], ["logits"], to=TensorProto.DOUBLE))
    classes = _weights(0, 8, 10) * np.float32(gain)
    path = _save(path, nodes, ("features", ["N", 8]), {"logits": ["N", 10]}, classes=classes, **ends)
    if wide:
        model = onnx.load(str(path))
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
        onnx.save(model, str(path))
    return path


def run_onnx(path: Path, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Its outputs by name."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def write_thousand_tflite(net: Path, path: Path, *, nan: bool = False) -> Path:
    """``net`` with a thousand logits for its forty, one of them NaN."""
    from verify.faults.tflite_model import TfliteModel
    from verify.flatbuffer import unpack, write

    (layer,) = [weight for weight in TfliteModel(net).weights() if weight.node.kind == "FULLY_CONNECTED"]
    model = unpack(net.read_bytes())
    graph = model.subgraphs[0]
    weights = _weights(0, 1000, 32)
    if nan:
        weights[617, 5] = np.nan
    tensor, output = graph.tensors[layer.tensor], graph.tensors[layer.node.outputs[0]]
    tensor.shape = [1000, 32]
    model.buffers[tensor.buffer].data = weights.reshape(-1).view(np.uint8)
    output.shape, output.shapeSignature = [1, 1000], [-1, 1000]
    write(model, path)
    return path
