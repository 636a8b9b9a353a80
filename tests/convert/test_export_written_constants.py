"""Constants that a model writes into, piece by piece, become the finished constants; anything else stays as written."""

from __future__ import annotations

import pytest
import torch
from test_export_module import worst_sqnr_db
from torch import Tensor, nn
from torch.nn import functional

from convert.export.capture import capture
from convert.export.newer import translate
from convert.export.plan import ExportPlan
from convert.export.settle import SettledProgram, recorded
from convert.export.written_constants import fold_written_constants
from verify.samples import InputSpec

FEATURES = (InputSpec("features", ("N", 8)),)


class FilledMask(nn.Module):
    """Swin's way: regions of a mask are numbered, and what lies in different regions is kept apart."""

    def forward(self, features: Tensor) -> Tensor:
        regions = features.new_zeros((8, 8))
        for number, rows in enumerate((slice(0, -4), slice(-4, -2), slice(-2, None))):
            regions[rows, rows] = number + 1
        flat = regions.view(64)[:8]
        apart = (flat.unsqueeze(0) - flat.unsqueeze(1)) != 0
        return features @ regions.masked_fill(apart, -1.0)


class ClearedBias(nn.Module):
    """SwinV2's way: a part of a copied parameter is cleared; the parameter itself stays."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 6)

    def forward(self, features: Tensor) -> Tensor:
        bias = self.linear.bias.clone()
        bias[2:4].zero_()
        return functional.linear(features, self.linear.weight, bias) + self.linear(features)


class ReadInBetween(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        mask = features.new_zeros(8)
        mask[:4] = 1
        half = features * mask
        mask[4:] = 2
        return half + features * mask


class FilledFromTheInput(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        mask = torch.zeros(2, 8)
        mask[0] = features.mean()
        return features * mask[0] + mask[1]


class ViewReadAfterwards(nn.Module):
    """The view was taken before the write, and sees it."""

    def forward(self, features: Tensor) -> Tensor:
        mask = torch.zeros(2, 8)
        first = mask[0]
        mask[0, :4] = 3
        return features * first


class OneMaskIntoAnother(nn.Module):
    """The second constant is made of the first, after the first is done."""

    def forward(self, features: Tensor) -> Tensor:
        first = torch.zeros(8)
        first[:4] = 2
        second = first.clone()
        second[6:] = 5
        return features * first + second


class WrittenThroughReshape(nn.Module):
    """``reshape`` may be a view or a copy; of this tensor it is a view, and captured as one."""

    def forward(self, features: Tensor) -> Tensor:
        mask = torch.zeros(2, 4)
        mask.reshape(8)[1:3] = 4
        return features * mask.view(8)


class ChangedBuffer(nn.Module):
    """What was written into in an earlier run is no constant."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros(8))

    def forward(self, features: Tensor) -> Tensor:
        scale = self.steps + 1
        scale[:2] = 7
        self.steps.add_(1)
        return features * scale


@pytest.mark.parametrize(
    ("kind", "folded"),
    [
        (FilledMask, 1),
        (ClearedBias, 1),
        (OneMaskIntoAnother, 2),
        (WrittenThroughReshape, 1),
        (ReadInBetween, 0),
        (FilledFromTheInput, 0),
        (ViewReadAfterwards, 0),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_depends_on_no_input_is_folded_and_everything_is_right(kind, folded, tmp_path):
    module = kind().eval()
    program = recorded(capture(module, FEATURES), SettledProgram)
    before = len(program.constants)
    translate(program, ExportPlan(FEATURES, (), tmp_path / "net.onnx", 20)).save(tmp_path / "net.onnx")
    assert len(program.constants) - before == folded
    assert (program.declined is None) == (folded > 0)
    assert worst_sqnr_db(module, tmp_path / "net.onnx", FEATURES) > 110


def test_a_buffer_that_the_model_changes_is_no_constant():
    program = recorded(capture(ChangedBuffer().eval(), FEATURES), SettledProgram)
    before = len(program.constants)
    fold_written_constants(program)
    assert len(program.constants) == before


def test_the_parameter_that_was_copied_keeps_its_values():
    module = ClearedBias().eval()
    bias = module.linear.bias.detach().clone()
    fold_written_constants(recorded(capture(module, FEATURES), SettledProgram))
    assert torch.equal(module.linear.bias, bias)
