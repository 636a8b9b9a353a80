"""Three classifiers of inverted residuals, each with the activations and the attention of its family.

All of them: (N, 1, 32, 32) in 0..1 → (N, 10) logits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Style:
    """What tells the families apart; ``gate`` is that of squeeze-and-excitation, which has ReLU inside or not."""

    activation: Callable[[], nn.Module]
    gate: Callable[[], nn.Module] | None = None
    squeezed: Callable[[], nn.Module] = nn.ReLU
    kernel: int = 3


class Mobile(nn.Module):
    """A stem, five inverted residuals, a wide 1 × 1 convolution and a linear head."""

    def __init__(self, style: Style, width: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            normed(nn.Conv2d(1, width, 3, stride=2, padding=1, bias=False), style.activation),
            InvertedResidual(width, width, 1, 2, style),
            InvertedResidual(width, 24, 2, 4, style),
            InvertedResidual(24, 24, 1, 4, style),
            InvertedResidual(24, 40, 2, 4, style),
            InvertedResidual(40, 40, 1, 4, style),
            normed(nn.Conv2d(40, 128, 1, bias=False), style.activation),
        )
        self.head = nn.Linear(128, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.head(self.features(image).mean((2, 3)))
        return logits


class MobileNetV2(Mobile):
    """Sandler et al., 1801.04381: ReLU6."""

    def __init__(self) -> None:
        super().__init__(Style(nn.ReLU6))


class MobileNetV3(Mobile):
    """Howard et al., 1905.02244: hard-swish, and squeeze-and-excitation with a hard sigmoid."""

    def __init__(self) -> None:
        super().__init__(Style(nn.Hardswish, nn.Hardsigmoid, kernel=5))


class EfficientNet(Mobile):
    """Tan and Le, 1905.11946: SiLU, and squeeze-and-excitation with a sigmoid."""

    def __init__(self) -> None:
        super().__init__(Style(nn.SiLU, nn.Sigmoid, nn.SiLU))


class InvertedResidual(nn.Module):
    """Widened by a 1 × 1, filtered by a depthwise, attended to, narrowed by a 1 × 1 convolution; linear at its end."""

    def __init__(self, given: int, made: int, stride: int, expansion: int, style: Style) -> None:
        super().__init__()
        inside, kernel = given * expansion, style.kernel
        self.body = nn.Sequential(
            normed(nn.Conv2d(given, inside, 1, bias=False), style.activation),
            normed(nn.Conv2d(inside, inside, kernel, stride, kernel // 2, groups=inside, bias=False), style.activation),
            SqueezeExcite(inside, style) if style.gate else nn.Identity(),
            nn.Conv2d(inside, made, 1, bias=False),
            nn.BatchNorm2d(made),
        )
        self.shortcut = stride == 1 and given == made

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.body(x)
        return x + made if self.shortcut else made


class SqueezeExcite(nn.Module):
    """Hu et al., 1709.01507: each channel times a gate that all channels' means decide."""

    def __init__(self, channels: int, style: Style, reduction: int = 4) -> None:
        super().__init__()
        assert style.gate is not None
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // reduction, 1),
            style.squeezed(),
            nn.Conv2d(channels // reduction, channels, 1),
            style.gate(),
        )

    def forward(self, x: Tensor) -> Tensor:
        gated: Tensor = x * self.gate(x)
        return gated


def normed(convolution: nn.Conv2d, activation: Callable[[], nn.Module]) -> nn.Sequential:
    """A convolution, its batch norm and an activation."""
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), activation())
