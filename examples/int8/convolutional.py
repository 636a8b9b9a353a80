"""Four classifiers of plain, residual, re-parameterised and dense convolutions.

All of them: (N, 1, 32, 32) in 0..1 → (N, 10) logits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PlainCnn(nn.Module):
    """VGG's manner, with the overlapping, padded max pooling that breaks int8 elsewhere."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _normed(nn.Conv2d(1, width, 3, padding=1, bias=False)),
            nn.MaxPool2d(3, 2, padding=1),
            _normed(nn.Conv2d(width, 2 * width, 3, padding=1, bias=False)),
            nn.MaxPool2d(3, 2, padding=1),
            _normed(nn.Conv2d(2 * width, 3 * width, 3, padding=1, bias=False)),
            nn.MaxPool2d(3, 2, padding=1),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(3 * width * 16, 4 * width), nn.ReLU(), nn.Linear(4 * width, 10)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.classifier(self.features(image))
        return logits


class ResNet(nn.Module):
    """He et al., 1512.03385: a stem with padded pooling, and three stages of basic blocks."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _normed(nn.Conv2d(1, width, 5, stride=2, padding=2, bias=False)), nn.MaxPool2d(3, 2, padding=1)
        )
        self.blocks = nn.Sequential(
            ResidualBlock(width, width, 1),
            ResidualBlock(width, 2 * width, 2),
            ResidualBlock(2 * width, 2 * width, 1),
            ResidualBlock(2 * width, 3 * width, 2),
        )
        self.head = nn.Linear(3 * width, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.head(self.blocks(self.stem(image)).mean((2, 3)))
        return logits


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions around a shortcut, which is projected where shapes differ."""

    def __init__(self, given: int, made: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _normed(nn.Conv2d(given, made, 3, stride, 1, bias=False)),
            nn.Conv2d(made, made, 3, 1, 1, bias=False),
            nn.BatchNorm2d(made),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or given != made:
            self.shortcut = nn.Sequential(nn.Conv2d(given, made, 1, stride, bias=False), nn.BatchNorm2d(made))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.body(x) + self.shortcut(x))


class RepVgg(nn.Module):
    """Ding et al., 2101.03697: trained with ``branches``, shipped as plain 3 × 3 convolutions (:func:`merged`)."""

    def __init__(self, width: int = 16, *, branches: bool = False) -> None:
        super().__init__()
        shapes = [(1, width, 2), (width, width, 1), (width, 2 * width, 2)]
        shapes += [(2 * width, 2 * width, 1), (2 * width, 3 * width, 2), (3 * width, 3 * width, 1)]
        kind = Branches if branches else _plain
        self.blocks = nn.Sequential(*(nn.Sequential(kind(*shape), nn.ReLU()) for shape in shapes))
        self.head = nn.Linear(3 * width, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.head(self.blocks(image).mean((2, 3)))
        return logits


class Branches(nn.Module):
    """The sum of a 3 × 3, a 1 × 1 and, where shapes agree, no convolution, each with a batch norm of its own."""

    def __init__(self, given: int, made: int, stride: int) -> None:
        super().__init__()
        self.wide, self.wide_norm = nn.Conv2d(given, made, 3, stride, 1, bias=False), nn.BatchNorm2d(made)
        self.narrow, self.narrow_norm = nn.Conv2d(given, made, 1, stride, bias=False), nn.BatchNorm2d(made)
        self.identity_norm = nn.BatchNorm2d(made) if stride == 1 and given == made else None

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.wide_norm(self.wide(x)) + self.narrow_norm(self.narrow(x))
        return total if self.identity_norm is None else total + self.identity_norm(x)

    @torch.no_grad()
    def merge_into(self, plain: nn.Conv2d) -> None:
        """Make one 3 × 3 convolution compute the sum (section 3.3 of the paper)."""
        parts = [(self.wide.weight, self.wide_norm), (_padded(self.narrow.weight), self.narrow_norm)]
        if self.identity_norm is not None:
            parts.append((_padded(torch.eye(plain.in_channels)[:, :, None, None]), self.identity_norm))
        scaled = [(weight, norm, norm.weight / (norm.running_var + norm.eps).sqrt()) for weight, norm in parts]
        plain.weight.copy_(sum(weight * gain[:, None, None, None] for weight, _, gain in scaled))
        assert plain.bias is not None
        plain.bias.copy_(sum(norm.bias - norm.running_mean * gain for _, norm, gain in scaled))


def merged(trained: nn.Module) -> nn.Module:
    """The net to ship, of one trained with branches; it computes the same."""
    assert isinstance(trained, RepVgg)
    net = RepVgg(trained.blocks[0][0].wide.out_channels)
    net.head.load_state_dict(trained.head.state_dict())
    for (branches, _), (plain, _) in zip(trained.blocks, net.blocks, strict=True):
        branches.merge_into(plain)
    return net.eval()


class DenseNet(nn.Module):
    """Huang et al., 1608.06993: every layer reads what all layers before it in its block have made."""

    def __init__(self, growth: int = 12) -> None:
        super().__init__()
        stem = 2 * growth
        self.features = nn.Sequential(
            _normed(nn.Conv2d(1, stem, 3, stride=2, padding=1, bias=False)),
            nn.MaxPool2d(3, 2, padding=1),
            *(DenseLayer(stem + index * growth, growth) for index in range(4)),
            nn.BatchNorm2d(stem + 4 * growth),
            nn.ReLU(),
            nn.Conv2d(stem + 4 * growth, 3 * growth, 1, bias=False),
            nn.AvgPool2d(2),
            *(DenseLayer((3 + index) * growth, growth) for index in range(4)),
            nn.BatchNorm2d(7 * growth),
            nn.ReLU(),
        )
        self.head = nn.Linear(7 * growth, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.head(self.features(image).mean((2, 3)))
        return logits


class DenseLayer(nn.Module):
    """What it was given, and ``growth`` channels more, through a 1 × 1 and a 3 × 3 convolution."""

    def __init__(self, given: int, growth: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(given),
            nn.ReLU(),
            _normed(nn.Conv2d(given, 2 * growth, 1, bias=False)),
            nn.Conv2d(2 * growth, growth, 3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.body(x)], dim=1)


def _normed(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU())


def _plain(given: int, made: int, stride: int) -> nn.Module:
    return nn.Conv2d(given, made, 3, stride, 1)


def _padded(pointwise: Tensor) -> Tensor:
    return nn.functional.pad(pointwise, (1, 1, 1, 1))
