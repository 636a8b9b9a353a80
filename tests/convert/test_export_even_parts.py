"""Two inputs go through a net as one batch and come apart again, whatever the batch."""

from __future__ import annotations

from test_export_module import export, worst_sqnr_db
from torch import Tensor, cat, nn

from verify.samples import InputSpec

PAIR = (InputSpec("left", ("N", 3, 8, 8)), InputSpec("right", ("N", 3, 8, 8)))


class TwoInOne(nn.Module):
    """As RAFT encodes its two pictures."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        self.parts = parts
        self.encoder = nn.Conv2d(3, 4, 3)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        encoded = self.encoder(cat([left, right] * (self.parts // 2)))
        first, *others = encoded.chunk(self.parts, dim=0)
        for other in others:
            first = first * other + other
        return first


def test_the_halves_of_two_batches_in_one_keep_the_batch_dynamic(tmp_path):
    module = TwoInOne(2).eval()
    outcome = export(module, tmp_path / "net.onnx", inputs=PAIR)
    assert outcome.exporter == "newer"
    assert outcome.signature.outputs[0].shape == ("N", 4, 6, 6)
    assert worst_sqnr_db(module, tmp_path / "net.onnx", PAIR) > 110


def test_so_do_four_quarters(tmp_path):
    module = TwoInOne(4).eval()
    assert export(module, tmp_path / "net.onnx", inputs=PAIR).exporter == "newer"
    assert worst_sqnr_db(module, tmp_path / "net.onnx", PAIR) > 110


def test_capture_leaves_no_hook(tmp_path):
    module = TwoInOne(2).eval()
    export(module, tmp_path / "net.onnx", inputs=PAIR)
    assert not module._forward_pre_hooks
