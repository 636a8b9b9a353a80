"""An ONNX net that has something for almost every kind of fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_RANDOM = np.random.default_rng(0)


def _weights(*shape: int) -> np.ndarray:
    return _RANDOM.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)


def write_everything(path: Path) -> Path:
    """(N, 3, 12, 12) → ``scores`` and ``others``, both (N, 6), by convolutions, norms, pools, a table and attention."""
    constants: dict[str, np.ndarray] = {
        "stem": _weights(8, 3, 3, 3),
        "stem_bias": _weights(8),
        "gamma": 1 + _weights(8) / 4,
        "beta": _weights(8),
        "mean": _weights(8) / 4,
        "variance": np.full(8, 0.5, np.float32),
        "zero": np.float32(0),
        "six": np.float32(0.3),
        "body": _weights(8, 8, 3, 3),
        "body_bias": _weights(8),
        "sizes": np.array([1, 1, 2, 2], np.float32),
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64),
        "axes": np.array([2, 3], np.int64),
        "half": np.array(0.7, np.float32),
        "dense": _weights(8, 8) * 2,
        "head": _weights(8, 6) * 2,
        "head_bias": _weights(6),
        "table": _weights(5, 6),
        "one": np.array([1], np.int64),
        "index": np.array([2], np.int64),
        "tokens_shape": np.array([0, 8, 36], np.int64),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["image", "stem", "stem_bias"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c1", "gamma", "beta", "mean", "variance"], ["b1"]),
        helper.make_node("Clip", ["b1", "zero", "six"], ["r1"]),
        helper.make_node("LRN", ["r1"], ["l1"], size=3, alpha=0.5),
        helper.make_node("MaxPool", ["l1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "body", "body_bias"], ["c2"], pads=[1, 1, 1, 1]),
        helper.make_node("LeakyRelu", ["c2"], ["r2"], alpha=0.2),
        helper.make_node("Add", ["p1", "r2"], ["s2"]),
        helper.make_node("Resize", ["s2", "", "sizes"], ["u2"], mode="linear"),
        helper.make_node("Pad", ["u2", "pads"], ["d2"]),
        helper.make_node(
            "AveragePool", ["d2"], ["p2"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1
        ),
        helper.make_node("AveragePool", ["p2"], ["p3"], kernel_shape=[2, 2]),
        helper.make_node("Reshape", ["p3", "tokens_shape"], ["t3"]),
        helper.make_node("Transpose", ["t3"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["tokens", "dense"], ["query"]),
        helper.make_node("Gelu", ["query"], ["active"]),
        helper.make_node("Sub", ["active", "tokens"], ["away"]),
        helper.make_node("MatMul", ["away", "t3"], ["products"]),
        helper.make_node("Mul", ["products", "half"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", "tokens"], ["mixed"]),
        helper.make_node("ReduceMean", ["mixed", "one"], ["pooled"], keepdims=0),
        helper.make_node("Gemm", ["pooled", "head", "head_bias"], ["scores"]),
        helper.make_node("Gather", ["table", "index"], ["row"]),
        helper.make_node("Mul", ["scores", "row"], ["others"]),
    ]
    graph = helper.make_graph(
        nodes,
        "everything",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 12, 12])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 6]) for name in ("scores", "others")],
        [numpy_helper.from_array(np.ascontiguousarray(values), name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
    return path
