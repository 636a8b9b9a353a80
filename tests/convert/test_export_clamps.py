"""Clamps with bounds that are tensors, which onnxscript fuses from a Max and a Min."""

from __future__ import annotations

import torch
from test_export_module import export, worst_sqnr_db
from torch import Tensor, nn

from verify.samples import InputSpec

VECTOR = (InputSpec("vector", ("N", 16)),)


class TwiceClamped(nn.Module):
    """One tensor within bounds, and within others, as Gemma's quantization-aware layers do it."""

    lowest: Tensor
    highest: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("lowest", torch.tensor(-0.5))
        self.register_buffer("highest", torch.tensor(0.25))

    def forward(self, vector: Tensor) -> Tensor:
        doubled = vector * 2
        narrow = torch.clamp(doubled, self.lowest, self.highest)
        return narrow + 3 * torch.clamp(doubled, self.lowest - 1, self.highest + 1)


def test_two_clamps_of_one_tensor_keep_their_own_bounds(tmp_path):
    module = TwiceClamped().eval()
    assert export(module, tmp_path / "net.onnx", inputs=VECTOR).exporter == "newer"
    assert worst_sqnr_db(module, tmp_path / "net.onnx", VECTOR) > 110
