"""A net that says for each pixel, and one that says for each cell of a grid, which digit is there."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CLASSES = 10


class UNet(nn.Module):
    """Ronneberger et al., 1505.04597: (N, 1, 32, 32) in 0..1 → (N, 11, 32, 32) logits, class 0 is background."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.down = nn.ModuleList([_normed(1, width), _twice(width, 2 * width), _twice(2 * width, 4 * width)])
        self.bottom = _twice(4 * width, 6 * width)
        self.up = nn.ModuleList(
            [
                nn.ConvTranspose2d(6 * width, 4 * width, 2, stride=2),
                nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2),
                nn.ConvTranspose2d(2 * width, width, 2, stride=2),
            ]
        )
        self.merge = nn.ModuleList(
            [_twice(8 * width, 4 * width), _twice(4 * width, 2 * width), _normed(2 * width, width)]
        )
        self.head = nn.Conv2d(width, 1 + CLASSES, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of each pixel."""
        kept, x = [], image
        for down in self.down:
            x = down(x)
            kept.append(x)
            x = nn.functional.max_pool2d(x, 2)
        x = self.bottom(x)
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([up(x), kept.pop()], dim=1))
        logits: Tensor = self.head(x)
        return logits


class Detector(nn.Module):
    """YOLOv3's manner (1804.02767), one box a cell, on two scales merged into one grid.

    (N, 1, 64, 64) in 0..1 → boxes (N, 64, 4), corners in pixels, and scores (N, 64, 10). Overlapping boxes are left in.
    """

    STRIDE, GRID, TYPICAL_SIDE = 8, 8, 20.0

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            _leaky(1, width, 2),
            _leaky(width, 2 * width, 2),
            _leaky(2 * width, 2 * width),
            _leaky(2 * width, 3 * width, 2),
        )
        self.coarse = nn.Sequential(_leaky(3 * width, 4 * width, 2), _leaky(4 * width, 4 * width))
        self.merge = _leaky(7 * width, 4 * width)
        self.head = nn.Conv2d(4 * width, 4 + CLASSES, 1)
        nn.init.constant_(self.head.bias[4:], -4.0)  # few cells hold a digit
        steps = torch.arange(float(self.GRID))
        cells = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1).reshape(1, -1, 2)
        self.register_buffer("cells", cells)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes and scores of every cell."""
        fine = self.fine(image)
        coarse = nn.functional.interpolate(self.coarse(fine), scale_factor=2.0, mode="nearest")
        raw = self.head(self.merge(torch.cat([fine, coarse], dim=1))).flatten(2).transpose(1, 2)
        centres = (raw[..., :2].sigmoid() + self.cells) * self.STRIDE
        halves = raw[..., 2:4].exp() * (self.TYPICAL_SIDE / 2)
        return torch.cat([centres - halves, centres + halves], dim=-1), raw[..., 4:].sigmoid()


def _twice(given: int, made: int) -> nn.Sequential:
    return nn.Sequential(_normed(given, made), _normed(made, made))


def _normed(given: int, made: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(given, made, 3, padding=1, bias=False), nn.BatchNorm2d(made), nn.ReLU())


def _leaky(given: int, made: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(given, made, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(made), nn.LeakyReLU(0.1))
