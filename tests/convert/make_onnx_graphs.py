"""Small ONNX graphs, written node by node with fixed random weights, for tests of the lowering."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20


class Graph:
    """Nodes and weights as they are added; ``save`` writes the file."""

    def __init__(self, opset: int = OPSET) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.opset = opset
        self._random = np.random.default_rng(len("lowering"))

    def input(self, name: str, shape: Sequence[int | str], dtype: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, name: str, shape: Sequence[int | str], dtype: int = TensorProto.FLOAT) -> None:
        self.outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def constant(self, name: str, array: object, dtype: type = np.int64) -> str:
        self.weights.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def weight(self, name: str, *shape: int) -> str:
        scale = 1 / np.sqrt(max(np.prod(shape[1:]), 1))
        return self.constant(name, self._random.standard_normal(shape) * scale, np.float32)

    def node(self, op: str, *inputs: str, out: str | Sequence[str] = "", **attributes: object) -> str:
        outputs = [out] if isinstance(out, str) else list(out)
        outputs = [name or f"{op.lower()}_{len(self.nodes)}" for name in outputs]
        self.nodes.append(helper.make_node(op, inputs, outputs, name=f"node_{outputs[0]}", **attributes))
        return outputs[0]

    def conv(
        self, x: str, name: str, out_channels: int, in_channels: int, kernel: int = 3, **attributes: object
    ) -> str:
        pads = attributes.pop("pads", [kernel // 2] * 4)
        w = self.weight(f"{name}.weight", out_channels, in_channels, kernel, kernel)
        return self.node("Conv", x, w, self.weight(f"{name}.bias", out_channels), pads=pads, **attributes)

    def save(self, path: Path) -> Path:
        graph = helper.make_graph(self.nodes, "graph", self.inputs, self.outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9)
        onnx.checker.check_model(model)
        onnx.save(onnx.shape_inference.infer_shapes(model), path)
        return path


def classifier(path: Path) -> Path:
    """Conv, ReLU, padded MaxPool, Conv, Clip(0, 6), Flatten, Gemm, ReLU, MatMul: AlexNet in small."""
    g = Graph()
    x = g.node("Relu", g.conv(g.input("image", ["N", 3, 16, 16]), "first", 8, 3))
    x = g.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    x = g.conv(x, "second", 6, 8, strides=[2, 2])
    x = g.node("Clip", x, g.constant("low", 0, np.float32), g.constant("high", 6, np.float32))
    x = g.node("Flatten", x)
    x = g.node("Relu", g.node("Gemm", x, g.weight("dense.weight", 10, 96), g.weight("dense.bias", 10), transB=1))
    g.node("MatMul", x, g.weight("head.weight", 10, 4), out="logits")
    g.output("logits", ["N", 4])
    return g.save(path)


def large_matrix(path: Path, *, trans_b: int) -> Path:
    """Conv, Flatten, Gemm with weights of 34 MB, which are saved in two slices, Gemm."""
    g = Graph()
    x = g.node("Relu", g.conv(g.input("image", ["N", 3, 16, 16]), "first", 16, 3))
    shape = (2100, 4096) if trans_b else (4096, 2100)
    x = g.node("Relu", g.node("Gemm", g.node("Flatten", x), g.weight("dense.weight", *shape), transB=trans_b))
    g.node("Gemm", x, g.weight("head.weight", 2100, 3), out="logits")
    g.output("logits", ["N", 3])
    return g.save(path)


def large_mask(path: Path) -> Path:
    """Swin's way: a mask of 1 MB is computed from two small constants, and added."""
    g = Graph()
    rows, columns = g.weight("rows", 1, 512, 1), g.weight("columns", 1, 1, 512)
    mask = g.node("Sub", rows, columns, out="mask")
    g.node("Add", g.input("scores", ["N", 512, 512]), mask, out="masked")
    g.output("masked", ["N", 512, 512])
    return g.save(path)


def channel_shuffle(path: Path) -> Path:
    """Two branches, Concat, the shuffle of ShuffleNet (Reshape, Transpose, Reshape), Split, mean over the image."""
    g = Graph()
    x = g.conv(g.input("image", ["N", 4, 8, 8]), "stem", 8, 4)
    branches = [g.conv(x, name, 4, 8) for name in ("left", "right")]
    x = g.node("Concat", *branches, axis=1)
    x = g.node("Reshape", x, g.constant("split_shape", [-1, 2, 4, 8, 8]))
    x = g.node("Transpose", x, perm=[0, 2, 1, 3, 4])
    x = g.node("Reshape", x, g.constant("merged_shape", [-1, 8, 8, 8]))
    g.node("Split", x, out=("kept", "changed"), axis=1, num_outputs=2)
    x = g.node("Concat", "kept", g.conv("changed", "branch", 4, 4), axis=1)
    g.node("ReduceMean", x, g.constant("spatial", [2, 3]), out="features", keepdims=0)
    g.output("features", ["N", 8])
    return g.save(path)


def segmenter(path: Path) -> Path:
    """Grouped, dilated and transposed convolutions, squeeze-and-excite, Resize; an image comes out."""
    g = Graph()
    x = g.node("Relu", g.conv(g.input("image", ["N", 4, 12, 12]), "stem", 8, 4, strides=[2, 2]))
    x = g.node("Relu", g.conv(x, "grouped", 8, 4, group=2))
    x = g.conv(x, "depthwise", 8, 1, group=8, pads=[2, 2, 2, 2], dilations=[2, 2])
    s = g.conv(g.node("GlobalAveragePool", x), "squeeze", 2, 8, kernel=1)
    s = g.node("Sigmoid", g.conv(g.node("HardSwish", s), "excite", 8, 2, kernel=1))
    x = g.node("Mul", x, s)
    w = g.weight("up.weight", 8, 4, 2, 2)
    x = g.node("ConvTranspose", x, w, g.weight("up.bias", 4), strides=[2, 2])
    x = g.node("Resize", x, "", g.constant("scales", [1, 1, 2, 2], np.float32), mode="linear", out="mask")
    g.output("mask", ["N", 4, 24, 24])
    return g.save(path)


def attention(path: Path) -> Path:
    """One head of self-attention on tokens, with its sizes computed by Shape as exporters do for a dynamic batch."""
    g = Graph()
    x = g.input("tokens", ["N", 6, 8])
    batch = g.node("Gather", g.node("Shape", x), g.constant("zero", [0]), axis=0)
    width = g.node("Gather", g.node("Shape", x), g.constant("two", 2), axis=0)
    width = g.node("Unsqueeze", g.node("Div", width, g.constant("head_count", 2)), g.constant("first_axis", [0]))
    split = g.node("Concat", batch, g.constant("rest", [6, 2]), width, axis=0)
    heads = []
    for name in ("query", "key", "value"):
        projected = g.node("MatMul", x, g.weight(f"{name}.weight", 8, 8))
        order = [0, 2, 3, 1] if name == "key" else [0, 2, 1, 3]
        heads.append(g.node("Transpose", g.node("Reshape", projected, split), perm=order))
    scores = g.node("Softmax", g.node("MatMul", heads[0], heads[1]), axis=-1)
    mixed = g.node("Transpose", g.node("MatMul", scores, heads[2]), perm=[0, 2, 1, 3])
    mixed = g.node("Reshape", mixed, g.node("Concat", batch, g.constant("joined", [6, 8]), axis=0))
    x = g.node("Add", x, mixed)
    g.node("LayerNormalization", x, g.weight("norm.weight", 8), g.weight("norm.bias", 8), out="mixed")
    g.output("mixed", ["N", 6, 8])
    return g.save(path)


def rows_and_columns(path: Path) -> Path:
    """BoTNet's relative positions: a square image and its transpose, each in a product over its last axis."""
    g = Graph()
    x = g.conv(g.input("image", ["N", 3, 8, 8]), "stem", 4, 3)
    rows = g.node("MatMul", x, g.weight("rows.weight", 8, 8))
    columns = g.node("MatMul", g.node("Transpose", x, perm=[0, 1, 3, 2]), g.weight("columns.weight", 8, 8))
    g.node("Add", rows, columns, out="sum")
    g.output("sum", ["N", 4, 8, 8])
    return g.save(path)


def patches(path: Path) -> Path:
    """Patch embedding as in ViT and ConvNeXt: Conv, Reshape, Transpose, class token by Expand and Concat."""
    g = Graph()
    image = g.input("image", ["N", 3, 8, 8])
    x = g.conv(image, "embed", 8, 3, kernel=4, strides=[4, 4], pads=[0, 0, 0, 0])
    x = g.node("Transpose", g.node("Reshape", x, g.constant("flat", [0, 8, 4])), perm=[0, 2, 1])
    batch = g.node("Gather", g.node("Shape", image), g.constant("zero", [0]), axis=0)
    token_shape = g.node("Concat", batch, g.constant("token_sizes", [1, 8]), axis=0)
    token = g.node("Expand", g.weight("token", 1, 1, 8), token_shape)
    x = g.node("Add", g.node("Concat", token, x, axis=1), g.weight("positions", 1, 5, 8))
    g.node("Gelu", x, out="tokens")
    g.output("tokens", ["N", 5, 8])
    return g.save(path)


def pools(path: Path, *, kernel: int, stride: int, pad: int, ceil_mode: int, size: int = 13) -> Path:
    """A convolution (so that values are negative too), then max and average pools of the same window."""
    g = Graph()
    x = g.conv(g.input("image", ["N", 3, size, size]), "stem", 4, 3)
    window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "ceil_mode": ceil_mode}
    pooled = [
        g.node("MaxPool", x, **window),
        g.node("AveragePool", x, count_include_pad=0, **window),
        g.node("AveragePool", x, count_include_pad=1, **window),
    ]
    g.node("Concat", *pooled, axis=1, out="pooled")
    g.output("pooled", ["N", 12, "H", "W"])
    return g.save(path)


def unknown_ops(path: Path) -> Path:
    """Two ops that no lowering knows, one of them twice, the first with a stack trace as torch's exporter writes it."""
    g = Graph()
    x = g.node("RandomNormalLike", g.node("RandomNormalLike", g.input("x", ["N"])))
    g.node("Bernoulli", x, out="y")
    trace = 'File "net.py", line 7, in forward\n    x = torch.randn_like(x)'
    g.nodes[0].metadata_props.add(key="pkg.torch.onnx.stack_trace", value=trace)
    g.output("y", ["N"])
    graph = helper.make_graph(g.nodes, "graph", g.inputs, g.outputs, g.weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10), path)
    return path


def large_determinant(path: Path) -> Path:
    """An op that onnx2tf knows for matrices of any size and the exact lowering for small ones."""
    g = Graph()
    g.node("Det", g.node("Relu", g.input("x", ["N", 5, 5])), out="y")
    g.output("y", ["N"])
    return g.save(path)
