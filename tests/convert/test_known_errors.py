"""Mistakes that people make end in an error that names them, the line, and what to write instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from subjects import mistakes
from test_export_module import export, worst_sqnr_db
from torch import nn

from convert.export.known_errors import TITLES
from convert.export.known_errors import explanation as titles
from verify.errors import ExportFailed

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"

MISTAKES = [
    (mistakes.ListOfLayers, titles.UNREGISTERED, r"layers\[0\], layers\[1\]", "self.layers = nn.ModuleList"),
    (mistakes.DictOfBranches, titles.UNREGISTERED, r"branches\['left'\]\[0\]", "nn.ModuleDict"),
    (mistakes.FunctionalDropout, titles.DROPOUT, "functional.dropout", "training=self.training"),
    (mistakes.ChannelDropout, titles.DROPOUT, "functional.dropout2d", "training=self.training"),
    (mistakes.TrainingInForward, titles.BATCH_STATISTICS, "training mode", "no .train"),
    (mistakes.NoRunningStatistics, titles.BATCH_STATISTICS, "track_running_stats=False", "InstanceNorm"),
    (mistakes.NoiseInForward, titles.RANDOM, r"randn_like\(mean\)", "--input noise=N"),
    (mistakes.Shuffled, titles.RANDOM, r"torch.randperm\(8\)", "self.training"),
    (mistakes.RunningCount, titles.STATE, r"buffer seen(.|\n)*self.seen \+= 1", "pass the state in"),
    (mistakes.ViewOfThirtyTwo, titles.FIXED_BATCH, r"batch to 32(.|\n)*view\(32, -1\)", r"x.flatten(1)"),
    (mistakes.ReshapeToTwo, titles.FIXED_BATCH, r"batch to 2(.|\n)*reshape\(2, 2, 4\)", r"x.view(x.size(0), -1)"),
    (mistakes.MixesSamples, titles.FIXED_BATCH, r"batch to 4(.|\n)*view\(4, -1\)", r"x.flatten(1)"),
    (mistakes.LstmOfSixteen, titles.FIXED_BATCH, r"batch to 16(.|\n)*self.lstm\(frames, state\)", "first state"),
    (mistakes.OnlyOneAtATime, titles.FIXED_BATCH, r"batch to 1(.|\n)*torch.ones\(1, 4\)", "x.size(0) rows"),
    (mistakes.OnTheGpu, titles.DEVICE, r"features.cuda\(\)", "device=x.device"),
    (mistakes.ZerosOnTheGpu, titles.DEVICE, 'device="cuda"', "register_buffer"),
    (mistakes.ThroughNumpy, titles.NUMPY, r"np.tanh", "torch.tanh"),
    (mistakes.CustomFunctionInNumpy, titles.NUMPY, r"array = x.numpy\(\)", "compute it with torch"),
    (mistakes.ForgottenLayer, titles.MISSING_ATTRIBUTE, r"self.fc1, which ForgottenLayer(.|\n)*it has fc", "--arch"),
    (mistakes.DictBatch, titles.CONTAINER_INPUT, r'batch\["features"\]', "class Flat(Net)"),
    (mistakes.DictItems, titles.CONTAINER_INPUT, r"batch.items\(\)", "class Flat(Net)"),
    (mistakes.MaskByName, titles.ARGUMENTS, "forward takes mask, and", "super().forward(image, mask=mask)"),
    (mistakes.AnyNumberOfInputs, titles.ARGUMENTS, r"forward takes \*features", "class Flat(Net)"),
    (mistakes.Float64Constant, titles.DTYPES, r"self.fc\(features - self.mean\)", ".float()"),
    (mistakes.HalfInput, titles.DTYPES, r"features.half\(\)", ".half()"),
    (mistakes.GradientInForward, titles.GRADIENT, r"torch.autograd.grad", "write the derivative out"),
    (mistakes.TextAmongOutputs, titles.NOT_TENSORS, "returns '1.0' among its outputs, a str", "as --arch"),
]


@pytest.mark.parametrize(("kind", "title", "says", "fix"), MISTAKES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_known_mistake_is_named_with_its_remedy(
    kind: type[nn.Module], title: str, says: str, fix: str, tmp_path: Path
) -> None:
    with pytest.raises(ExportFailed) as caught:
        export(kind().eval(), tmp_path / "net.onnx", inputs=kind.inputs)  # type: ignore[attr-defined]
    text = str(caught.value)
    assert f"docs/troubleshooting.md: {title}" in text
    assert re.search(says, text), text
    assert fix in caught.value.fix
    if title not in (titles.UNREGISTERED, titles.NOT_TENSORS, titles.ARGUMENTS):
        assert re.search(r"at .*mistakes\.py:\d+, in forward: ", text), text
    assert not (tmp_path / "net.onnx").exists()


@pytest.mark.parametrize(
    "kind",
    [mistakes.UnusedTeacher, mistakes.CountedForTheLog, mistakes.ScratchBuffer, mistakes.StandardisedWeights],
    ids=lambda kind: kind.__name__,
)
def test_what_only_looks_like_a_mistake_converts(kind: type[nn.Module], tmp_path: Path) -> None:
    module = kind().eval()
    outcome = export(module, tmp_path / "net.onnx", inputs=kind.inputs)  # type: ignore[attr-defined]
    assert outcome.exporter == "newer"
    assert worst_sqnr_db(module, tmp_path / "net.onnx", kind.inputs) > 110  # type: ignore[attr-defined]


def test_every_explanation_has_its_entry_in_the_page_and_its_mistake_here() -> None:
    headings = re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE)
    assert headings == list(TITLES)
    assert {title for _, title, _, _ in MISTAKES} == set(TITLES) - {titles.BRANCH}  # in test_export_failures.py
