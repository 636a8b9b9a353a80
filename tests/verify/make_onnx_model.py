"""The net of make_tf_models.py as ONNX, from the same seeds: what the ``verify`` command is to find equal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_onnx_net(path: Path, *, gain: float = 1.0) -> Path:
    """``gain`` other than 1 spoils the logits, and only them."""
    random = np.random.default_rng(0)
    kernel = random.normal(0, 0.3, (3, 3, 3, 32)).astype(np.float32)
    embedding = random.normal(0, 1, (10, 32)).astype(np.float32)
    dense = random.normal(0, 0.3, (32, 40)).astype(np.float32) * np.float32(gain)
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["features"]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gather", ["embedding", "token"], ["embedded"]),
        helper.make_node("Add", ["flat", "embedded"], ["sum"]),
        helper.make_node("MatMul", ["sum", "dense"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 8, 6]),
            helper.make_tensor_value_info("token", TensorProto.INT64, ["N"]),
        ],
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 32, 8, 6]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 40]),
        ],
        [
            numpy_helper.from_array(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), "kernel"),
            numpy_helper.from_array(embedding, "embedding"),
            numpy_helper.from_array(dense, "dense"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def write_onnx_scale(path: Path, *, input_name: str, output_name: str, shape: tuple[int | str, ...] = ("N", 4)) -> Path:
    """One input, one output: three times the input; only the names vary."""
    graph = helper.make_graph(
        [helper.make_node("Mul", [input_name, "three"], [output_name])],
        "scale",
        [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output_name, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.array(3, np.float32), "three")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(path))
    return path
