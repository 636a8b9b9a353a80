"""A LeNet for 28 × 28 handwritten digits, and its training on the 1,797 that scikit-learn ships."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn


class LeNet(nn.Module):
    """LeNet-5 with ReLU and max pooling: (N, 1, 28, 28) in 0..1 → (N, 10) logits."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * 5 * 5, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, num_classes),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.classifier(self.features(image))
        return logits


def digits(side: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """All digits, enlarged from 8 × 8 to float32 (1797, 1, side, side) in 0..1, and their labels; seeded order."""
    data = load_digits()
    small = torch.from_numpy(data.images.astype(np.float32) / 16.0)[:, None]
    images = nn.functional.interpolate(small, size=(side, side), mode="bilinear", align_corners=False).numpy()
    order = np.random.default_rng(0).permutation(len(images))
    return images[order], data.target[order].astype(np.int64)


def train(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    kind: Callable[[], nn.Module] = LeNet,
    epochs: int = 20,
    seed: int = 0,
) -> nn.Module:
    """A trained net in eval mode; a few seconds on one thread, which is also what makes it repeatable."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    net = kind()
    inputs, targets = torch.from_numpy(images), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(epochs):
        for chosen in torch.randperm(len(inputs)).split(64):
            loss = nn.functional.cross_entropy(net(inputs[chosen]), targets[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval()
