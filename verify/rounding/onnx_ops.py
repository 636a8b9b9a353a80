"""How many roundings one value of an ONNX op's output is made with, by op type."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from verify.rounding.ancestry import Uncountable

Shape = tuple[int, ...]

TRANSCENDENTAL = 4
"""Roundings that an exponential or the like is worth: kernels are right to a few units in the last place."""


@dataclass(frozen=True)
class Node:
    """An op, its attributes, and the sizes of the tensors of its graph, as far as they are known."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    shapes: Mapping[str, Shape]

    def shape(self, index: int) -> Shape:
        """Of an input; raises ``Uncountable``."""
        return self._known(self.inputs[index])

    @property
    def made(self) -> Shape:
        """Of the first output; raises ``Uncountable``."""
        return self._known(self.outputs[0])

    def _known(self, tensor: str) -> Shape:
        if tensor not in self.shapes:
            raise Uncountable(f"the sizes of {tensor}, at a {self.op}, follow from no shape inference")
        return self.shapes[tensor]

    def bias(self, index: int) -> int:
        """1 when the op has that operand, which is added."""
        return int(len(self.inputs) > index and bool(self.inputs[index]))


Count = Callable[[Node], int]


def op_roundings(node: Node) -> int:
    """Raises ``Uncountable`` for an op that is not known here, or one whose sizes are not."""
    if node.op in _EXACT:
        return 0
    if node.op in _FIXED:
        return _FIXED[node.op]
    if node.op not in _COUNTS:
        raise Uncountable(f"how {node.op} rounds is not known")
    return _COUNTS[node.op](node)


def _reduced(node: Node) -> int:
    """As many as go into one value."""
    return max(1, math.prod(node.shape(0)) // max(1, math.prod(node.made)))


def _convolution(node: Node) -> int:
    return math.prod(node.shape(1)[1:]) + node.bias(2)


def _transposed_convolution(node: Node) -> int:
    channels, _, *kernel = node.shape(1)
    return channels // int(node.attributes.get("group", 1)) * math.prod(kernel) + node.bias(2)


def _matmul(node: Node) -> int:
    if node.inputs[0] in node.shapes:
        return node.shape(0)[-1]
    return node.shape(1)[-2 if len(node.shape(1)) > 1 else -1]


def _gemm(node: Node) -> int:
    at = 0 if node.attributes.get("transA", 0) else 1
    if node.inputs[0] not in node.shapes:
        at = 1 if node.attributes.get("transB", 0) else 0
    return node.shape(int(node.inputs[0] not in node.shapes))[at] + 2 * node.bias(2) + 1


def _einsum(node: Node) -> int:
    equation = node.attributes["equation"].decode().replace(" ", "")
    terms = equation.split("->")[0].split(",")
    if "." in equation:
        raise Uncountable(f"an Einsum with an ellipsis, {equation}")
    sizes = {letter: size for at, term in enumerate(terms) for letter, size in zip(term, node.shape(at), strict=True)}
    return max(1, math.prod(sizes.values()) // max(1, math.prod(node.made))) + len(terms) - 2


def _along(axis: int) -> Count:
    """Over one axis, named by an attribute or the default: exponentials, their sum, a division."""

    def count(node: Node) -> int:
        return node.shape(0)[int(node.attributes.get("axis", axis))] + TRANSCENDENTAL + 1

    return count


def _layer_norm(node: Node) -> int:
    axis = int(node.attributes.get("axis", -1))
    return 2 * math.prod(node.shape(0)[axis:]) + 6


def _instance_norm(node: Node) -> int:
    return 2 * math.prod(node.shape(0)[2:]) + 6


def _group_norm(node: Node) -> int:
    shape = node.shape(0)
    return 2 * math.prod(shape[1:]) // int(node.attributes["num_groups"]) + 6


def _window(node: Node) -> int:
    return math.prod(node.attributes["kernel_shape"])


def _resize(node: Node) -> int:
    taps = {b"nearest": 0, b"linear": 2, b"cubic": 4}[node.attributes.get("mode", b"nearest")]
    rank = sum(before != after for before, after in zip(node.shape(0), node.made, strict=True))
    return 2 * taps * rank


def _cumulative(node: Node) -> int:
    return max(node.shape(0), default=1)


def _recurrent(node: Node) -> int:
    """Each step adds its products to what the step before left."""
    steps, _, features = node.shape(0)
    if node.attributes.get("layout", 0):
        steps = node.shape(0)[1]
    return steps * (features + int(node.attributes["hidden_size"]) + 2 + 4 * TRANSCENDENTAL)


_EXACT = frozenset(
    {
        "Abs",
        "And",
        "ArgMax",
        "ArgMin",
        "BitShift",
        "Cast",
        "CastLike",
        "Ceil",
        "CenterCropPad",
        "Clip",
        "Col2Im",
        "Compress",
        "Concat",
        "Constant",
        "ConstantOfShape",
        "DepthToSpace",
        "Dropout",
        "Equal",
        "Expand",
        "EyeLike",
        "Flatten",
        "Floor",
        "Gather",
        "GatherElements",
        "GatherND",
        "GlobalMaxPool",
        "Greater",
        "GreaterOrEqual",
        "Hardmax",
        "Identity",
        "IsInf",
        "IsNaN",
        "Less",
        "LessOrEqual",
        "Max",
        "MaxPool",
        "MaxUnpool",
        "Min",
        "Neg",
        "NonMaxSuppression",
        "NonZero",
        "Not",
        "OneHot",
        "Or",
        "Pad",
        "Range",
        "ReduceMax",
        "ReduceMin",
        "Relu",
        "Reshape",
        "ReverseSequence",
        "Round",
        "Shape",
        "Sign",
        "Size",
        "Slice",
        "SpaceToDepth",
        "Split",
        "Squeeze",
        "ThresholdedRelu",
        "Tile",
        "TopK",
        "Transpose",
        "Trilu",
        "Unique",
        "Unsqueeze",
        "Where",
        "Xor",
    }
)

_FIXED = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Sqrt", "Reciprocal", "LeakyRelu", "PRelu", "Mod", "Shrink"), 1),
    **dict.fromkeys(("HardSigmoid", "Softsign"), 2),
    **dict.fromkeys(("HardSwish", "BatchNormalization"), 4),
    **dict.fromkeys(
        (
            "Acos",
            "Acosh",
            "Asin",
            "Asinh",
            "Atan",
            "Atanh",
            "Celu",
            "Cos",
            "Cosh",
            "Elu",
            "Erf",
            "Exp",
            "Log",
            "Pow",
            "Selu",
            "Sigmoid",
            "Sin",
            "Sinh",
            "Softplus",
            "Tan",
            "Tanh",
        ),
        TRANSCENDENTAL,
    ),
    **dict.fromkeys(("Gelu", "Mish", "Swish"), 2 * TRANSCENDENTAL),
    "GridSample": 16,
    "RotaryEmbedding": 3,
}

_COUNTS: Mapping[str, Count] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Einsum": _einsum,
    **dict.fromkeys(
        (
            "ReduceMean",
            "ReduceSum",
            "ReduceSumSquare",
            "ReduceL1",
            "ReduceL2",
            "ReduceLogSum",
            "ReduceLogSumExp",
            "ReduceProd",
            "GlobalAveragePool",
        ),
        lambda node: _reduced(node) + 1 + TRANSCENDENTAL * node.op.startswith("ReduceLog"),
    ),
    "Sum": lambda node: len(node.inputs) - 1,
    "Mean": lambda node: len(node.inputs),
    "Softmax": _along(-1),
    "LogSoftmax": _along(-1),
    "LpNormalization": _along(-1),
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _layer_norm,
    "InstanceNormalization": _instance_norm,
    "GroupNormalization": _group_norm,
    "LRN": lambda node: int(node.attributes["size"]) + 2 * TRANSCENDENTAL,
    "AveragePool": _window,
    "LpPool": _window,
    "Resize": _resize,
    "Upsample": _resize,
    "CumSum": _cumulative,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
}
