"""What a conversion's edges are told: the floor and what it is made of, steps of int8, inputs that move nothing."""

from __future__ import annotations

import html
import io
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from convert.hosts import WarmHosts
from convert.progress import Progress
from convert.run import convert
from convert.settings import RunSettings
from convert.stages.export import ExportOnnx
from convert.stages.lower import OnnxToSavedModel
from convert.stages.quantize import ToInt8
from convert.stages.to_tflite import SavedModelToTflite
from verify.report.html import render_html
from verify.report.types import EdgeReport, Report
from verify.spread import BASIS
from verify.tolerance import PYTORCH_BASIS


class Unheeding(nn.Module):
    """``bias`` is taken, and multiplied away."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(64, 10)

    def forward(self, features: Tensor, bias: Tensor) -> Tensor:
        return self.dense(features) + 0.0 * bias


@pytest.fixture(scope="module")
def report(warm: WarmHosts, tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("judging")
    torch.manual_seed(0)
    torch.save(Unheeding().state_dict(), folder / "net.pth")
    export = ExportOnnx(arch=f"{__file__}:Unheeding", inputs=("features=N,64", "bias=N,10"))
    stages = (export, OnnxToSavedModel(), SavedModelToTflite(), ToInt8(max_samples=8))
    settings = RunSettings(output=folder / "out", calibration="random", evaluation="random")
    with Progress(Console(file=io.StringIO()), quiet=True) as progress:
        return convert(Path(folder / "net.pth"), stages, settings, progress, warm=warm).report


def _edge(report: Report, expected: str, actual: str) -> EdgeReport:
    return next(edge for edge in report.edges if (edge.expected, edge.actual) == (expected, actual))


def test_the_floor_of_pytorch_says_that_its_spread_was_measured(report: Report) -> None:
    budget = _edge(report, "pytorch", "onnx").budget
    assert PYTORCH_BASIS in budget
    assert BASIS in budget


def test_an_int8_edge_is_told_in_steps_of_its_grid(report: Report) -> None:
    (output,) = _edge(report, "float32", "int8").outputs
    assert output.quantized is not None
    assert 0 < output.quantized.within_two_steps <= 1
    assert output.quantized.explanation in html.unescape(render_html(report))


def test_an_input_that_moves_nothing_is_noted_on_every_edge(report: Report) -> None:
    for edge in report.edges:
        assert edge.notes == ("bias moves no output of either model: what it does could not be compared",)
