"""Op kinds that do the same under ONNX's and TFLite's names, and which ops of two models stand at the same place."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from verify.localise.graph import REARRANGING, Graph, Op

_SAME = (
    ("Conv", "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D", "QLinearConv", "Conv2D", "DepthwiseConv2dNative", "Conv3D"),
    ("ConvTranspose", "TRANSPOSE_CONV", "Conv2DBackpropInput"),
    ("Gemm", "MatMul", "FULLY_CONNECTED", "BATCH_MATMUL", "QLinearMatMul", "BatchMatMulV2"),
    ("MaxPool", "MAX_POOL_2D"),
    ("AveragePool", "AVERAGE_POOL_2D", "AvgPool"),
    ("GlobalAveragePool", "ReduceMean", "MEAN", "Mean"),
    ("Add", "ADD", "add", "AddV2", "BiasAdd"),
    ("Gather", "GATHER", "GatherV2", "ResourceGather"),
    ("Concat", "CONCATENATION", "ConcatV2"),
    ("Sigmoid", "LOGISTIC"),
    ("HardSwish", "HARD_SWISH"),
    ("LeakyRelu", "LEAKY_RELU"),
    ("ReduceSum", "SUM", "Sum"),
    ("ReduceMax", "REDUCE_MAX", "Max"),
    ("Slice", "STRIDED_SLICE", "SLICE", "StridedSlice"),
    ("Split", "SPLIT", "SPLIT_V", "SplitV"),
    ("Resize", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "ResizeBilinear", "ResizeNearestNeighbor"),
    ("Pad", "PAD", "PADV2", "MIRROR_PAD", "PadV2", "MirrorPad"),
    ("Reciprocal", "Div", "DIV", "RealDiv"),
    ("Clip", "RELU6", "Relu", "RELU", "Relu6"),
)
_CLASSES = {kind: kinds[0] for kinds in _SAME for kind in kinds}


def class_of(kind: str) -> str:
    """One word for all kinds that compute the same: ``Conv`` for ``DEPTHWISE_CONV_2D``."""
    return _CLASSES.get(kind, kind.upper())


def counterparts(trusted: Graph, judged: Graph) -> dict[str, str]:
    """Judged tensor → the trusted tensor at its place, by the longest chains of ops of the same kinds in both."""
    ours, theirs = (_computing(graph.ops) for graph in (trusted, judged))
    matcher = SequenceMatcher(
        None, [class_of(op.kind) for op in ours], [class_of(op.kind) for op in theirs], autojunk=False
    )
    return {
        theirs[block.b + at].outputs[0]: ours[block.a + at].outputs[0]
        for block in matcher.get_matching_blocks()
        for at in range(block.size)
    }


def _computing(ops: Sequence[Op]) -> list[Op]:
    return [op for op in ops if op.kind not in REARRANGING and op.outputs]
