"""Recurrent layers are exported as the one operator they are, whatever the number of steps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import pytest
from test_export_module import export, worst_sqnr_db
from torch import Tensor, nn

from verify.samples import InputSpec

FRAMES = InputSpec("frames", ("N", 9, 10))


class Recurrent(nn.Module):
    """Every step's output of one ``nn.LSTM``, ``nn.GRU`` …"""

    def __init__(self, kind: str, **options: object) -> None:
        super().__init__()
        self.layer = getattr(nn, kind)(10, 8, batch_first=True, **options)

    def forward(self, frames: Tensor) -> Tensor:
        return self.layer(frames)[0]


def _ops(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {}),
        ("LSTM", {"bidirectional": True, "num_layers": 2, "dropout": 0.5}),
        ("LSTM", {"bias": False}),
        ("GRU", {}),
        ("GRU", {"bidirectional": True, "bias": False}),
        ("RNN", {}),
        ("RNN", {"bidirectional": True, "num_layers": 2, "nonlinearity": "relu"}),
        ("RNN", {"bias": False}),
    ],
)
def test_a_recurrent_layer_is_one_operator(kind: str, options: dict[str, object], tmp_path: Path) -> None:
    module = Recurrent(kind, **options).eval()

    assert export(module, tmp_path / "net.onnx", inputs=(FRAMES,)).exporter == "newer"

    assert _ops(tmp_path / "net.onnx")[kind] == options.get("num_layers", 1)
    assert worst_sqnr_db(module, tmp_path / "net.onnx", (FRAMES,)) > 110


def test_the_number_of_steps_can_be_dynamic(tmp_path: Path) -> None:
    spec = InputSpec("frames", ("N", "T", 10))

    outcome = export(Recurrent("GRU").eval(), tmp_path / "net.onnx", inputs=(spec,))

    assert outcome.exporter == "newer"
    assert outcome.signature.outputs[0].shape == ("N", "T", 8)


def test_a_projected_lstm_is_taken_apart_for_the_exporter_would_get_it_wrong(tmp_path: Path) -> None:
    module = Recurrent("LSTM", proj_size=4).eval()

    export(module, tmp_path / "net.onnx", inputs=(FRAMES,))

    assert _ops(tmp_path / "net.onnx")["LSTM"] == 0
    assert worst_sqnr_db(module, tmp_path / "net.onnx", (FRAMES,)) > 110
