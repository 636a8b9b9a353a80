"""Four more nets for 28 × 28 digits, in the shapes that mobile models have.

All of them: (N, 1, 28, 28) in 0..1 → (N, 10) logits.
"""

from __future__ import annotations

from torch import Tensor, nn


class Perceptron(nn.Module):
    """Two hidden layers over the pixels."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(28 * 28, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 10),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.layers(image)
        return logits


class AllConvolutional(nn.Module):
    """Strides instead of pooling, and a convolution as large as what is left instead of a linear head."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 10, 7),
            nn.Flatten(),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.layers(image)
        return logits


class Separable(nn.Module):
    """MobileNet's blocks: a depthwise 3 × 3 and a pointwise 1 × 1 convolution, each with batch norm and ReLU6."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _normed(nn.Conv2d(1, width, 3, stride=2, padding=1, bias=False)),
            _normed(nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)),
            _normed(nn.Conv2d(width, 2 * width, 1, bias=False)),
            _normed(nn.Conv2d(2 * width, 2 * width, 3, stride=2, padding=1, groups=2 * width, bias=False)),
            _normed(nn.Conv2d(2 * width, 4 * width, 1, bias=False)),
        )
        self.head = nn.Linear(4 * width, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.head(self.features(image).mean((2, 3)))
        return logits


class Residual(nn.Module):
    """A ResNet of two blocks, its stem with the padded max pooling of the large ones."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        stem = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.stem = nn.Sequential(stem, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1))
        self.blocks = nn.Sequential(_Block(width, width, 1), _Block(width, 2 * width, 2))
        self.head = nn.Linear(2 * width, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.head(self.blocks(self.stem(image)).mean((2, 3)))
        return logits


class _Block(nn.Module):
    """Two 3 × 3 convolutions around a shortcut, which is projected where shapes differ."""

    def __init__(self, given: int, made: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(given, made, 3, stride, 1, bias=False),
            nn.BatchNorm2d(made),
            nn.ReLU(),
            nn.Conv2d(made, made, 3, 1, 1, bias=False),
            nn.BatchNorm2d(made),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or given != made:
            self.shortcut = nn.Sequential(nn.Conv2d(given, made, 1, stride, bias=False), nn.BatchNorm2d(made))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.body(x) + self.shortcut(x))


def _normed(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU6())
