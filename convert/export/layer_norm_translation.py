"""``nn.LayerNorm`` over one element, which onnxruntime refuses to run (CSATv2 in timm normalises one channel).

The only element is its own mean: ``(x - x) * weight + bias``. Infinities and NaN come out as NaN, as in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnxscript import opset18 as op
from onnxscript.function_libs.torch_lib.ops.core import aten_layer_norm
from onnxscript.function_libs.torch_lib.tensor_typing import TReal

_aten = torch.ops.aten


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """For ``torch.onnx.export(custom_translation_table=...)``."""
    return {_aten.layer_norm.default: _layer_norm}


def _layer_norm(  # noqa: PLR0917 - aten's own arguments
    x: TReal,
    normalized_shape: Sequence[int],
    weight: TReal | None = None,
    bias: TReal | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> TReal:
    if math.prod(normalized_shape) != 1:
        return aten_layer_norm(x, normalized_shape, weight, bias, eps, cudnn_enable)
    centred = op.Sub(x, x)
    scaled = centred if weight is None else op.Mul(centred, weight)
    return scaled if bias is None else op.Add(scaled, bias)
