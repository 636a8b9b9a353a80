"""The ladder on real models and in real workers: parity decides, nothing won is lost, the way is remembered."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import make_onnx_graphs as graphs
import pytest
from ladder_stages import Lying, LyingThenExiting, LyingThenHanging, Refusing
from rich.console import Console

from convert import climb
from convert.hosts import WarmHosts
from convert.progress import Progress
from convert.run import Outcome, convert
from convert.settings import RunSettings
from convert.stages.base import Stage
from convert.stages.export import ExportOnnx
from convert.stages.lower import OnnxToSavedModel
from convert.stages.quantize import ToDynamicInt8
from convert.stages.to_tflite import SavedModelToTflite
from verify.errors import UnsupportedOp
from verify.report.types import Rung, RungOutcome, Verdict

NETS = """
import torch
from torch import nn

class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

class Distances(Scaled):
    def forward(self, features):
        points = self.scale * features.reshape(-1, 4, 2)
        return torch.cdist(points, points + 1)

class TwoFaced(Scaled):
    def forward(self, features):
        exporting = torch.compiler.is_compiling() or torch.jit.is_tracing()
        return self.scale * features * (1.1 if exporting else 1.0)
"""


class Climber:
    """Converts in a folder of its own, always to ``out``."""

    def __init__(self, folder: Path, warm: WarmHosts) -> None:
        self.folder, self._warm = folder, warm

    def __call__(self, model: Path, *stages: Stage, **settings: object) -> Outcome:
        run = RunSettings(output=self.folder / "out", **settings)
        with Progress(Console(file=sys.stderr), quiet=True) as progress:
            return convert(model, stages, run, progress, warm=self._warm)


@pytest.fixture
def climber(tmp_path: Path, warm: WarmHosts, monkeypatch: pytest.MonkeyPatch) -> Climber:
    (tmp_path / "odd_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    return Climber(tmp_path, warm)


def checkpoint(folder: Path) -> Path:
    save = "import torch; torch.save({'scale': torch.tensor(2.0)}, 'net.pth')"
    subprocess.run([sys.executable, "-c", save], cwd=folder, check=True)
    return folder / "net.pth"


def test_a_lowering_that_lies_is_found_out_and_the_next_one_is_used(climber: Climber) -> None:
    model = graphs.classifier(climber.folder / "net.onnx")
    stages = (Lying(diary=str(climber.folder / "diary")), SavedModelToTflite(), ToDynamicInt8())

    outcome = climber(model, *stages)

    lie, used = outcome.report.rungs
    assert (lie.lowering, lie.outcome) == ("exact", RungOutcome.PARITY)
    assert "saved_model does not agree with onnx: logits" in lie.reason
    assert used == Rung("", "onnx2tf", RungOutcome.USED)
    assert outcome.report.verdict is Verdict.PASS
    assert {made.name for made in outcome.report.artifacts} == {"saved_model", "float32", "dynamic_int8"}

    again = climber(model, *stages, max_judging=31)

    assert not again.reused
    assert again.report.rungs == outcome.report.rungs
    assert (climber.folder / "diary").read_text().split() == ["exact", "onnx2tf"]


def test_a_model_that_exact_refuses_goes_through_onnx2tf_and_says_why(climber: Climber) -> None:
    outcome = climber(graphs.large_determinant(climber.folder / "net.onnx"), OnnxToSavedModel())

    refused, used = outcome.report.rungs
    assert (refused.lowering, refused.outcome) == ("exact", RungOutcome.FAILED)
    assert "Det (node 'node_y'): the determinant of a matrix larger than 4 × 4" in refused.reason
    assert used == Rung("", "onnx2tf", RungOutcome.USED)


def test_where_the_newer_exporter_fails_the_older_one_is_the_rung_and_is_gone_to_at_once_next_time(
    climber: Climber,
) -> None:
    model = checkpoint(climber.folder)
    export = ExportOnnx(arch="odd_nets.py:Distances", inputs=("features=N,8",))

    outcome = climber(model, export, OnnxToSavedModel())

    failed, used = outcome.report.rungs
    assert (failed.exporter, failed.lowering, failed.outcome) == ("newer", "exact", RungOutcome.FAILED)
    assert "_cdist_forward" in failed.reason
    assert used == Rung("older", "exact", RungOutcome.USED)
    assert outcome.report.verdict is Verdict.PASS

    again = climber(model, export, OnnxToSavedModel(), max_judging=31)

    assert again.report.rungs == outcome.report.rungs
    assert all(stage.reused for stage in again.report.stages)


def test_no_lowering_is_tried_on_an_onnx_file_that_does_not_agree(climber: Climber) -> None:
    model = checkpoint(climber.folder)

    outcome = climber(model, ExportOnnx(arch="odd_nets.py:TwoFaced", inputs=("features=N,8",)), OnnxToSavedModel())

    assert outcome.report.verdict is Verdict.FAIL
    assert {(rung.exporter, rung.lowering) for rung in outcome.report.rungs} == {("newer", "exact"), ("older", "exact")}
    assert outcome.report.used_rung is not None
    assert "onnx does not agree with pytorch" in outcome.report.used_rung.reason


@pytest.mark.parametrize(
    ("kind", "end"), [(LyingThenHanging, "longer than its limit of 4 s"), (LyingThenExiting, "ended by exit status 1")]
)
def test_how_a_later_rung_ends_does_not_cost_what_an_earlier_one_gave(
    climber: Climber, monkeypatch: pytest.MonkeyPatch, kind: type[Lying], end: str
) -> None:
    monkeypatch.setattr(climb, "LATER_RUNG_SECONDS", 4.0)
    model = graphs.classifier(climber.folder / "net.onnx")

    outcome = climber(model, kind(diary=str(climber.folder / "diary")), SavedModelToTflite(), ToDynamicInt8())

    later, used = outcome.report.rungs
    assert (later.lowering, later.outcome) == ("onnx2tf", RungOutcome.FAILED)
    assert end in later.reason
    assert (used.lowering, used.outcome) == ("exact", RungOutcome.USED)
    assert "saved_model does not agree with onnx" in used.reason
    assert outcome.report.verdict is Verdict.FAIL
    assert {made.name for made in outcome.report.artifacts} == {"saved_model", "float32", "dynamic_int8"}


def test_where_no_way_converts_the_first_reason_is_given_and_the_others_with_it(climber: Climber) -> None:
    model = graphs.classifier(climber.folder / "net.onnx")

    with pytest.raises(UnsupportedOp, match="no exact lowering for Frobnicate") as caught:
        climber(model, Refusing(), SavedModelToTflite())

    assert "onnx2tf lowering: no onnx2tf lowering for Frobnicate" in caught.value.context
    assert not (climber.folder / "out").exists()
