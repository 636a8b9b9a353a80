"""ATen ops under the names that :mod:`verify.localise.kinds` knows: ONNX's, where another name is not the same word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_KINDS = {
    "Conv": ("convolution", "_convolution", "mkldnn_convolution", "conv1d", "conv2d", "conv3d"),
    "Gemm": ("addmm", "mm", "bmm", "baddbmm", "linear", "matmul", "addmv", "mv"),
    "MaxPool": ("max_pool2d_with_indices", "max_pool2d", "max_pool3d_with_indices"),
    "AveragePool": ("avg_pool2d", "avg_pool3d", "avg_pool1d"),
    "ReduceMean": ("mean", "_adaptive_avg_pool2d", "adaptive_avg_pool2d", "_adaptive_avg_pool3d"),
    "ReduceSum": ("sum",),
    "ReduceMax": ("amax", "max"),
    "Clip": ("hardtanh", "clamp", "clamp_min", "clamp_max", "relu6"),
    "Concat": ("cat",),
    "HardSwish": ("hardswish",),
    "LeakyRelu": ("leaky_relu",),
    "Slice": ("slice", "select", "narrow"),
    "Split": ("split", "split_with_sizes", "chunk", "unbind"),
    "Pad": ("constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad2d"),
    "BatchNormalization": ("native_batch_norm", "_native_batch_norm_legit_no_training", "batch_norm"),
    "LayerNormalization": ("native_layer_norm", "layer_norm"),
    "GroupNormalization": ("native_group_norm", "group_norm"),
    "Softmax": ("_softmax", "softmax"),
    "LogSoftmax": ("_log_softmax", "log_softmax"),
    "Gather": ("embedding", "index_select", "gather", "index"),
    "Reshape": ("view", "_unsafe_view", "reshape", "_reshape_alias", "flatten", "unflatten"),
    "Transpose": ("t", "transpose", "permute", "movedim", "numpy_T"),
    "Squeeze": ("squeeze",),
    "Unsqueeze": ("unsqueeze",),
    "Identity": ("clone", "alias", "contiguous", "detach", "lift_fresh", "dropout", "copy"),
    "Cast": ("_to_copy", "to"),
}
_BY_NAME = {name: kind for kind, names in _KINDS.items() for name in names}
_TRANSPOSED = 6
"""Place of ``transposed`` among the arguments of ``aten::convolution``."""


def kind_of(name: str, arguments: Sequence[Any]) -> str:
    """``Conv`` for ``aten::convolution``, ``add`` for ``aten::add_.Tensor``: its own name where ONNX's is the same."""
    own = name.rpartition("::")[2].partition(".")[0]
    own = own.removesuffix("_") or own
    if own == "convolution" and len(arguments) > _TRANSPOSED and arguments[_TRANSPOSED]:
        return "ConvTranspose"
    if own.startswith(("upsample_", "_upsample_")):
        return "Resize"
    return _BY_NAME.get(own, own)
