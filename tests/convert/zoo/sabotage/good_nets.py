"""Small nets that nothing is wrong with, for (N, 3, 16, 16) images; widths and seeds make many models of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Convolutional(nn.Module):
    """Two convolutions and a linear head."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.body = nn.Sequential(nn.Conv2d(width, 2 * width, 3, 1, 1), nn.ReLU())
        self.head = nn.Linear(2 * width, 10)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(self.stem(image)).mean((2, 3)))
        return logits


class Residual(nn.Module):
    """A shortcut around a depthwise-separable block with batch norm."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU6())
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU6(),
            nn.Conv2d(width, width, 1),
        )
        self.head = nn.Linear(width, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        logits: Tensor = self.head((x + self.block(x)).mean((2, 3)))
        return logits


class Dense(nn.Module):
    """A multilayer perceptron over the pixels."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3 * 16 * 16, width), nn.ReLU(), nn.Linear(width, 10))

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.layers(torch.flatten(image, 1))
        return logits
