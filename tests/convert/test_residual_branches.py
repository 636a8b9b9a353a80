"""The last batch norm of a residual branch is found wherever its output meets the skip, and nothing else is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from convert.residual_branches import last_norms

IMAGE = torch.ones(1, 4, 6, 6)


class Residual(nn.Module):
    """Two blocks; the second one's skip is what the first one wrote into the output of its norm."""

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=in_place))
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
            for _ in range(2)
        )
        self.in_place = in_place

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        for branch in self.branches:
            out = branch(x)
            if self.in_place:
                out += x
                x = torch.relu_(out)
            else:
                x = torch.relu(x + out)
        return x


class TwoNorms(nn.Module):
    """A projected skip: neither side is the branch more than the other. And a norm whose scale is no sum."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.after = nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, image: Tensor) -> Tensor:
        return self.after(self.left(image) + self.right(image)) * 2 + 1


@pytest.mark.parametrize("in_place", [False, True])
def test_the_norm_before_the_skip_is_found(in_place: bool) -> None:
    net = Residual(in_place).eval()
    assert last_norms(net, (IMAGE,)) == tuple(branch[4] for branch in net.branches)


def test_two_norms_in_one_sum_are_left() -> None:
    assert last_norms(TwoNorms().eval(), (IMAGE,)) == ()


def test_no_hook_stays() -> None:
    net = Residual(in_place=True).eval()
    last_norms(net, (IMAGE,))
    assert not any(module._forward_hooks for module in net.modules())
