"""Graphs that a lowering which guesses layouts gets wrong: equal sizes, ambiguous broadcasts, reshapes across channels.

Every case is a few nodes in one common ONNX graph, so that all of them cost one conversion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from make_onnx_graphs import Graph
from onnx import TensorProto, helper, shape_inference

Build = Callable[["Case"], None]
Ops = Callable[[Build], dict[str, int]]
"""Of the fixture ``ops``: converts what a function builds and counts the ops of the TFLite file."""

CASES: dict[str, Build] = {}
REFUSED: dict[str, tuple[Build, str]] = {}


class Case:
    """Adds one case's nodes to a graph; names start with the case's."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name

    def _next(self) -> str:
        return f"{self.name}_{len(self.graph.nodes)}_{len(self.graph.weights)}_{len(self.graph.inputs)}"

    def input(self, *shape: int | str) -> str:
        return self.graph.input(self._next(), shape)

    def ints(self, *values: int) -> str:
        return self.graph.constant(self._next(), list(values))

    def scalar(self, value: int) -> str:
        return self.graph.constant(self._next(), value)

    def weight(self, *shape: int) -> str:
        return self.graph.weight(self._next(), *shape)

    def floats(self, *values: float) -> str:
        return self.graph.constant(self._next(), list(values), np.float32)

    def op(self, op: str, *inputs: str, **attributes: object) -> str:
        return self.graph.node(op, *inputs, out=self._next(), **attributes)

    def ops(self, op: str, count: int, *inputs: str, **attributes: object) -> list[str]:
        names = [f"{self._next()}_{index}" for index in range(count)]
        self.graph.node(op, *inputs, out=names, **attributes)
        return names

    def conv(self, x: str, channels: int = 8, out: int = 8, kernel: int = 3, **attributes: object) -> str:
        """A spatial op, so that what follows is stored channels-last."""
        return self.graph.conv(x, self._next(), out, channels, kernel, **attributes)

    def image(self, *shape: int) -> str:
        """A channels-last value of 8×8×8, unless another shape is given."""
        channels, height, width = shape or (8, 8, 8)
        return self.conv(self.input("N", channels, height, width), channels, channels)

    def transpose(self, x: str, *order: int) -> str:
        return self.op("Transpose", x, perm=list(order))

    def reshape(self, x: str, *shape: int) -> str:
        return self.op("Reshape", x, self.ints(*shape))

    def output(self, *values: str) -> None:
        for value in values:
            name = f"{self.name}__{len(self.graph.outputs)}"
            self.graph.node("Identity", value, out=name)
            self.graph.outputs.append(helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None))


def case(build: Build) -> Build:
    """Register a graph that has to convert exactly."""
    CASES[build.__name__] = build
    return build


def save(names: Sequence[str], path: Path) -> Path:
    """All those cases as one file."""
    graph = Graph()
    for name in names:
        (CASES[name] if name in CASES else REFUSED[name][0])(Case(graph, name))
    return _save(graph, path)


def save_one(build: Build, path: Path) -> Path:
    """One graph that is no registered case."""
    graph = Graph()
    build(Case(graph, "net"))
    return _save(graph, path)


def _save(graph: Graph, path: Path) -> Path:
    model = helper.make_model(
        helper.make_graph(graph.nodes, "graph", graph.inputs, [], graph.weights),
        opset_imports=[helper.make_opsetid("", 21)],
        ir_version=10,
    )
    inferred = {info.name: info for info in shape_inference.infer_shapes(model).graph.value_info}
    model.graph.output.extend(inferred[info.name] for info in graph.outputs)
    onnx.checker.check_model(model)
    onnx.save(shape_inference.infer_shapes(model), path)
    return path


@case
def attention_on_equal_sizes(c: Case) -> None:
    x = c.input("N", 32, 32)
    q, k, v = (c.op("MatMul", x, c.weight(32, 32)) for _ in range(3))
    scores = c.op("Softmax", c.op("MatMul", q, c.transpose(k, 0, 2, 1)), axis=-1)
    c.output(c.op("Add", x, c.op("MatMul", scores, v)))


@case
def a_value_and_its_transpose_meet(c: Case) -> None:
    x = c.image()
    c.output(c.op("Sub", x, c.transpose(x, 0, 1, 3, 2)), c.op("Mul", x, c.transpose(x, 0, 3, 2, 1)))


@case
def vectors_along_channels_height_and_width(c: Case) -> None:
    x = c.image()
    for shape in ((8, 1, 1), (1, 8, 1), (8,), (1, 8, 1, 1), (1, 1, 8, 1), (1, 1, 1, 8)):
        c.output(c.op("Mul", x, c.weight(*shape)))


@case
def matrices_along_pairs_of_axes(c: Case) -> None:
    x = c.image()
    for shape in ((8, 8), (8, 1, 8), (8, 8, 1), (1, 8, 8), (8, 8, 8)):
        c.output(c.op("Add", x, c.weight(*shape)))


@case
def gates_from_means_over_each_axis(c: Case) -> None:
    x = c.image()
    for axes in ((1,), (2,), (3,), (2, 3), (1, 3), (1, 2)):
        c.output(c.op("Mul", x, c.op("Sigmoid", c.op("ReduceMean", x, c.ints(*axes), keepdims=1))))


@case
def a_gate_of_two_axes_broadcasts_from_the_right(c: Case) -> None:
    """(N, C) against (N, C, 8, 8) is wrong in PyTorch; (8, 8) of another input is height and width."""
    x = c.image()
    plane = c.op("ReduceMean", c.image(), c.ints(0, 1), keepdims=0)
    c.output(c.op("Add", x, plane), c.op("Mul", plane, x))


@case
def transposes_that_cancel(c: Case) -> None:
    x = c.transpose(c.transpose(c.image(), 0, 2, 3, 1), 0, 3, 1, 2)
    c.output(c.conv(x))


@case
def transposes_that_nearly_cancel(c: Case) -> None:
    x = c.transpose(c.transpose(c.image(), 0, 2, 3, 1), 0, 3, 2, 1)
    c.output(c.conv(x))


@case
def convolutions_over_every_pair_of_axes(c: Case) -> None:
    x = c.image()
    for order in ((0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2), (0, 3, 2, 1)):
        c.output(c.conv(c.transpose(x, *order)))


@case
def units_come_and_go(c: Case) -> None:
    x = c.op("Unsqueeze", c.image(), c.ints(2))
    x = c.op("Squeeze", c.op("Unsqueeze", c.transpose(x, 0, 2, 1, 3, 4), c.ints(0, 6)), c.ints(2, 0))
    x = c.op("Squeeze", x, c.ints(-1))
    c.output(x, c.conv(x))


@case
def one_channel_one_row(c: Case) -> None:
    x = c.conv(c.input("N", 1, 1, 8), 1, 1)
    c.output(c.op("Squeeze", x, c.ints(1)), c.reshape(x, -1, 8), c.transpose(x, 0, 3, 1, 2))


@case
def reshapes_merge_and_split_channels(c: Case) -> None:
    x = c.image()
    targets = ((-1, 64, 8), (-1, 8, 64), (-1, 512), (-1, 2, 4, 8, 8), (-1, 8, 2, 4, 8), (-1, 16, 4, 8), (-1, 4, 16, 8))
    c.output(*(c.reshape(x, *target) for target in targets))


@case
def reshapes_then_transposes_then_reshapes(c: Case) -> None:
    x = c.reshape(c.image(), -1, 2, 4, 8, 8)
    for order in ((0, 2, 1, 3, 4), (0, 3, 1, 4, 2), (0, 1, 3, 4, 2), (0, 4, 2, 3, 1)):
        c.output(c.conv(c.reshape(c.transpose(x, *order), -1, 8, 8, 8)))


@case
def flatten_into_a_dense_layer(c: Case) -> None:
    x = c.op("Flatten", c.image())
    c.output(c.op("Gemm", x, c.weight(8, 512), c.weight(8), transB=1), c.op("MatMul", x, c.weight(512, 4)))


@case
def flatten_at_every_axis(c: Case) -> None:
    x = c.image()
    c.output(*(c.op("Flatten", x, axis=axis) for axis in range(1, 5)))


@case
def concat_on_every_axis(c: Case) -> None:
    x, y = c.image(), c.image()
    c.output(*(c.op("Concat", x, y, c.transpose(y, 0, 2, 1, 3), axis=axis) for axis in range(4)))


@case
def split_on_every_axis(c: Case) -> None:
    x = c.image()
    for axis in (1, 2, 3):
        c.output(*c.ops("Split", 2, x, c.ints(3, 5), axis=axis))


@case
def slices_on_every_axis(c: Case) -> None:
    x = c.image()
    for axis in (1, 2, 3):
        c.output(c.op("Slice", x, c.ints(1), c.ints(7), c.ints(axis), c.ints(2)))
        c.output(c.op("Slice", x, c.ints(-1), c.ints(-(2**63)), c.ints(axis), c.ints(-1)))


@case
def softmax_on_every_axis(c: Case) -> None:
    x = c.image()
    c.output(*(c.op("Softmax", x, axis=axis) for axis in (1, 2, 3)), c.op("LogSoftmax", x, axis=1))


@case
def reductions_on_every_axis(c: Case) -> None:
    x = c.image()
    for keepdims in (0, 1):
        for axes in ((1,), (2,), (3,), (1, 2), (0, 1)):
            c.output(c.op("ReduceMax", x, c.ints(*axes), keepdims=keepdims))


@case
def largest_on_every_axis(c: Case) -> None:
    x = c.image()
    for axis in (1, 2, 3):
        c.output(c.op("ArgMax", x, axis=axis, keepdims=axis % 2), *c.ops("TopK", 2, x, c.ints(3), axis=axis))


@case
def running_sums_on_every_axis(c: Case) -> None:
    x = c.image()
    c.output(*(c.op("CumSum", x, c.scalar(axis), reverse=axis % 2) for axis in (1, 2, 3)))


@case
def gathers_on_every_axis(c: Case) -> None:
    x = c.image()
    for axis in (1, 2, 3):
        c.output(c.op("Gather", x, c.ints(7, -8, 3), axis=axis), c.op("Gather", x, c.scalar(5), axis=axis))


@case
def pads_of_batch_channels_and_width(c: Case) -> None:
    x = c.image()
    for axis in range(4):
        pads = [0] * 8
        pads[axis], pads[axis + 4] = 1, 2
        c.output(c.op("Pad", x, c.ints(*pads)))
    c.output(c.op("Pad", x, c.ints(0, 2, 0, 0, 0, 1, 0, 0), mode="reflect"))


@case
def resize_then_reshape(c: Case) -> None:
    x = c.op("Resize", c.image(8, 4, 4), "", c.floats(1, 1, 2, 2), mode="linear")
    c.output(c.reshape(x, -1, 64, 8), c.op("MatMul", c.reshape(x, -1, 8, 64), c.weight(64, 8)))


@case
def norms_over_channels_and_planes(c: Case) -> None:
    x = c.image()
    for axis in (1, 2, 3):
        shape = (8,) * (4 - axis)
        c.output(c.op("LayerNormalization", x, c.weight(*shape), c.weight(*shape), axis=axis))
    c.output(c.op("InstanceNormalization", x, c.weight(8), c.weight(8)))
    groups = c.op("InstanceNormalization", c.reshape(x, -1, 2, 256), c.floats(1, 1), c.floats(0, 0))
    c.output(c.op("Mul", c.reshape(groups, -1, 8, 8, 8), c.weight(8, 1, 1)))


@case
def norm_over_channels_by_transposes(c: Case) -> None:
    x = c.transpose(c.image(), 0, 2, 3, 1)
    x = c.op("LayerNormalization", x, c.weight(8), c.weight(8), axis=-1)
    c.output(c.conv(c.transpose(x, 0, 3, 1, 2)))


@case
def batch_norm_where_all_sizes_are_equal(c: Case) -> None:
    statistics = [c.weight(8), c.weight(8), c.weight(8), c.floats(*np.linspace(0.5, 2, 8))]
    x = c.input("N", 8, 8)
    c.output(c.op("BatchNormalization", c.transpose(x, 0, 2, 1), *statistics))


@case
def products_of_images(c: Case) -> None:
    x, y = c.image(), c.image()
    c.output(c.op("MatMul", x, y), c.op("MatMul", x, c.transpose(y, 0, 1, 3, 2)), c.op("MatMul", c.weight(8, 8), x))
    c.output(c.op("MatMul", x, c.weight(8, 8)), c.op("MatMul", c.transpose(x, 0, 3, 2, 1), y))


@case
def heads_as_many_as_tokens(c: Case) -> None:
    x = c.input("N", 8, 64)
    q, k, v = (c.transpose(c.reshape(c.op("MatMul", x, c.weight(64, 64)), -1, 8, 8, 8), 0, 2, 1, 3) for _ in range(3))
    scores = c.op("Softmax", c.op("MatMul", q, c.transpose(k, 0, 1, 3, 2)), axis=-1)
    c.output(c.reshape(c.transpose(c.op("MatMul", scores, v), 0, 2, 1, 3), -1, 8, 64))


@case
def heads_merged_into_the_batch(c: Case) -> None:
    """As torch's exporter spells the keys' transpose in scaled dot product attention."""
    x = c.transpose(c.reshape(c.input("N", 8, 64), -1, 8, 8, 8), 0, 2, 1, 3)
    merged = c.transpose(c.reshape(x, -1, 8, 8), 0, 2, 1)
    c.output(c.op("MatMul", x, c.reshape(merged, -1, 8, 8, 8)), c.op("Softmax", merged, axis=1))


@case
def joint_projection_of_queries_keys_and_values(c: Case) -> None:
    x = c.reshape(c.op("MatMul", c.input("N", 3, 3), c.weight(3, 27)), -1, 3, 3, 3, 3)
    q, k, v = (c.op("Gather", c.transpose(x, 2, 0, 3, 1, 4), c.scalar(index), axis=0) for index in range(3))
    c.output(c.op("MatMul", c.op("MatMul", q, c.transpose(k, 0, 1, 3, 2)), v))


@case
def a_unit_axis_before_the_rows_of_a_product(c: Case) -> None:
    """TensorFlow 2.19 writes beyond its buffers for (5, 1, 4, 4) @ (4, 8)."""
    x = c.input("N", 1, 4, 4)
    c.output(c.op("MatMul", x, c.weight(4, 8)), c.op("MatMul", x, c.op("ReduceMean", x, c.ints(0), keepdims=1)))
    c.output(c.op("MatMul", c.op("Relu", x), c.transpose(c.op("ReduceMax", x, c.ints(0, 1), keepdims=0), 1, 0)))


@case
def products_stored_by_columns(c: Case) -> None:
    """Values times transposed weights of attention, the way convolutional nets write it."""
    x, y = (c.reshape(c.image(), -1, 8, 64) for _ in range(2))
    scores = c.op("Softmax", c.op("MatMul", c.transpose(x, 0, 2, 1), y), axis=-1)
    c.output(c.conv(c.reshape(c.op("MatMul", x, c.transpose(scores, 0, 2, 1)), -1, 8, 8, 8)))


@case
def patches_unfolded_and_folded(c: Case) -> None:
    """MobileViT: pixels of the same place in each 2×2 patch become a batch of their own."""
    x = c.reshape(c.transpose(c.reshape(c.image(8, 4, 4), -1, 2, 2, 2), 0, 2, 1, 3), -1, 8, 4, 4)
    x = c.op("MatMul", c.reshape(c.transpose(x, 0, 3, 2, 1), -1, 4, 8), c.weight(8, 8))
    x = c.reshape(c.transpose(c.reshape(x, -1, 4, 4, 8), 0, 3, 2, 1), -1, 2, 2, 2)
    c.output(c.conv(c.reshape(c.transpose(x, 0, 2, 1, 3), -1, 8, 4, 4)))


@case
def softmax_of_six_axes(c: Case) -> None:
    x = c.reshape(c.image(), -1, 2, 4, 2, 4, 8)
    c.output(*(c.op("Softmax", x, axis=axis) for axis in (1, 3, 5)))


@case
def einsums(c: Case) -> None:
    x = c.image()
    c.output(c.op("Einsum", x, c.weight(8, 8), equation="nchw,cd->ndhw"))
    c.output(c.op("Einsum", x, c.image(), equation="nchw,nckw->nhk"))


@case
def channel_shuffles(c: Case) -> None:
    x = c.image()
    for groups in (2, 4):
        shuffled = c.transpose(c.reshape(x, -1, groups, 8 // groups, 8, 8), 0, 2, 1, 3, 4)
        shuffled = c.reshape(shuffled, -1, 8, 8, 8)
        c.output(shuffled, c.conv(shuffled), *c.ops("Split", 2, shuffled, axis=1, num_outputs=2))


@case
def pixel_shuffle_by_reshape(c: Case) -> None:
    x = c.reshape(c.image(8, 4, 4), -1, 2, 2, 2, 4, 4)
    c.output(c.reshape(c.transpose(x, 0, 1, 4, 2, 5, 3), -1, 2, 8, 8))


@case
def pixel_shuffle_both_orders(c: Case) -> None:
    x = c.image(8, 4, 4)
    c.output(*(c.op("DepthToSpace", x, blocksize=2, mode=mode) for mode in ("DCR", "CRD")))
    c.output(c.op("SpaceToDepth", x, blocksize=2))


@case
def windows_and_back(c: Case) -> None:
    x = c.transpose(c.image(), 0, 2, 3, 1)
    windows = c.reshape(c.transpose(c.reshape(x, -1, 2, 4, 2, 4, 8), 0, 1, 3, 2, 4, 5), -1, 16, 8)
    mixed = c.op("MatMul", windows, c.weight(8, 8))
    back = c.reshape(c.transpose(c.reshape(mixed, -1, 2, 2, 4, 4, 8), 0, 1, 3, 2, 4, 5), -1, 8, 8, 8)
    c.output(windows, c.transpose(back, 0, 3, 1, 2))


@case
def roll(c: Case) -> None:
    x = c.image()
    for axis in (2, 3):
        head = c.op("Slice", x, c.ints(5), c.ints(2**63 - 1), c.ints(axis))
        x = c.op("Concat", head, c.op("Slice", x, c.ints(0), c.ints(5), c.ints(axis)), axis=axis)
    c.output(x)


@case
def outputs_that_are_transposed_inputs(c: Case) -> None:
    x = c.input("N", 4, 4, 4)
    c.output(c.transpose(x, 0, 2, 3, 1), c.transpose(x, 1, 0, 3, 2), c.transpose(x, 3, 2, 1, 0), x)


@case
def an_input_used_in_both_layouts(c: Case) -> None:
    x = c.input("N", 8, 8, 8)
    tokens = c.op("MatMul", c.transpose(c.reshape(x, -1, 8, 64), 0, 2, 1), c.weight(8, 8))
    c.output(c.op("Add", c.conv(x), c.reshape(c.transpose(tokens, 0, 2, 1), -1, 8, 8, 8)), c.op("ReduceL2", x))


@case
def outputs_of_rank_three_and_five(c: Case) -> None:
    x = c.image()
    c.output(c.op("ReduceMean", x, c.ints(1), keepdims=0), c.op("ReduceMean", x, c.ints(3), keepdims=0))
    c.output(c.reshape(x, -1, 2, 4, 8, 8), c.op("Unsqueeze", x, c.ints(1)))


@case
def the_batch_in_another_axis(c: Case) -> None:
    """Rows as a batch: (N·H, C, W), as axial attention has it."""
    x = c.transpose(c.image(), 0, 2, 1, 3)
    rows = c.reshape(x, -1, 8, 8)
    rows = c.op("MatMul", c.op("Softmax", rows, axis=1), c.weight(8, 8))
    c.output(rows, c.conv(c.transpose(c.reshape(rows, -1, 8, 8, 8), 0, 2, 1, 3)))


@case
def the_batch_is_not_the_first_axis(c: Case) -> None:
    """Tokens first, as nn.MultiheadAttention wants them, and heads merged into the batch."""
    x = c.transpose(c.input("N", 4, 8), 1, 0, 2)
    heads = c.transpose(c.reshape(c.op("MatMul", x, c.weight(8, 8)), 4, -1, 4), 1, 0, 2)
    mixed = c.op("MatMul", c.op("Softmax", c.op("MatMul", heads, c.transpose(heads, 0, 2, 1)), axis=-1), heads)
    c.output(c.transpose(c.reshape(c.transpose(mixed, 1, 0, 2), 4, -1, 8), 1, 0, 2))


@case
def conditions_and_slopes_along_each_axis(c: Case) -> None:
    x = c.image()
    mask = c.op("Greater", x, c.op("ReduceMean", x, c.ints(1), keepdims=1))
    c.output(
        c.op("Where", mask, x, c.weight(8, 1, 1)), c.op("PRelu", x, c.weight(8, 1, 1)), c.op("PRelu", x, c.weight(8))
    )


@case
def expands_and_tiles(c: Case) -> None:
    x = c.op("ReduceMean", c.image(), c.ints(2), keepdims=1)
    c.output(c.op("Expand", x, c.ints(1, 8, 8, 8)), c.op("Expand", x, c.ints(2, 1, 1, 1, 1)))
    c.output(c.op("Tile", x, c.ints(1, 2, 3, 1)))


@case
def squeeze_and_excite_by_dense_layers(c: Case) -> None:
    x = c.image()
    s = c.op("Flatten", c.op("GlobalAveragePool", x))
    s = c.op("Sigmoid", c.op("Gemm", c.op("Relu", c.op("Gemm", s, c.weight(8, 8))), c.weight(8, 8)))
    c.output(c.op("Mul", x, c.reshape(s, -1, 8, 1, 1)), c.op("Mul", c.op("Unsqueeze", s, c.ints(-1, 2)), x))


@case
def one_dimensional_convolution_between_tokens(c: Case) -> None:
    x = c.op("Conv", c.transpose(c.input("N", 8, 8), 0, 2, 1), c.weight(8, 1, 3), group=8, pads=[1, 1])
    c.output(c.op("Add", c.transpose(x, 0, 2, 1), x))


@case
def volumes(c: Case) -> None:
    x = c.op("Conv", c.input("N", 4, 4, 4, 4), c.weight(4, 4, 3, 3, 3), pads=[1] * 6)
    c.output(c.op("Mul", x, c.weight(4, 1, 1, 1)), c.transpose(x, 0, 2, 1, 3, 4), c.reshape(x, -1, 16, 4, 4))


REFUSED["a_split_of_the_batch"] = (
    lambda c: c.output(*c.ops("Split", 2, c.image(), axis=0, num_outputs=2)),
    "splitting an axis of dynamic size",
)
