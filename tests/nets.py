"""Small PyTorch nets that tests everywhere share: deterministic by seed, batch-norm statistics that fit their inputs.

Each class builds with no arguments, so it also serves as ``--arch tests/nets.py:LeNet``. Use :func:`ready` for one
whose numbers mean something: random nets with untouched batch norm give denormals, and metrics on them are noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from verify.samples import InputSpec

IMAGE = InputSpec("image", ("N", 3, 32, 32))
DIGIT = InputSpec("image", ("N", 1, 28, 28))
FEATURES = InputSpec("features", ("N", 8))
TOKENS = InputSpec("ids", ("N", 12), dtype="int64", low=0, high=99)


class LeNet(nn.Module):
    """Conv, ReLU, MaxPool, Linear: nothing that any converter should miss. (batch, 1, 28, 28) → (batch, 10)."""

    inputs = (DIGIT,)

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, image: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.conv1(image)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        x = functional.relu(self.fc1(x))
        return self.fc3(functional.relu(self.fc2(x)))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm and a shortcut, projected where shapes differ."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class TinyResNet(nn.Module):
    """A small ResNet with the padded MaxPool that ruins int8 when lowered naively. (batch, 3, 32, 32) → (batch, 10)."""

    inputs = (IMAGE,)

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)
        )
        self.blocks = nn.Sequential(ResidualBlock(16, 16, 1), ResidualBlock(16, 32, 2))
        self.fc = nn.Linear(32, num_classes)

    def forward(self, image: Tensor) -> Tensor:
        x = self.blocks(self.stem(image))
        return self.fc(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))


class SqueezeExcite(nn.Module):
    """Channel attention as MobileNetV3 has it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // 4, 1)
        self.expand = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = functional.relu(self.reduce(functional.adaptive_avg_pool2d(x, 1)))
        return x * functional.hardsigmoid(self.expand(gate))


class TinyMobileNet(nn.Module):
    """Depthwise convolution, hard-swish, squeeze-excite and an inverted residual. (batch, 3, 32, 32) → (batch, 10)."""

    inputs = (IMAGE,)

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        self.block = nn.Sequential(
            nn.Conv2d(8, 32, 1, bias=False),
            nn.BatchNorm2d(32),
            nn.Hardswish(),
            nn.Conv2d(32, 32, 3, 1, 1, groups=32, bias=False),
            nn.BatchNorm2d(32),
            nn.Hardswish(),
            SqueezeExcite(32),
            nn.Conv2d(32, 8, 1, bias=False),
            nn.BatchNorm2d(8),
        )
        self.head = nn.Sequential(nn.Linear(8, 32), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(32, num_classes))

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        x = x + self.block(x)
        return self.head(functional.adaptive_avg_pool2d(x, 1).flatten(1))


class TwoInputNet(nn.Module):
    """An image and a feature vector. (batch, 3, 32, 32), (batch, 8) → (batch, 4)."""

    inputs = (IMAGE, FEATURES)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, 2, 1)
        self.fc = nn.Linear(16, 4)

    def forward(self, image: Tensor, features: Tensor) -> Tensor:
        pooled = functional.relu(self.conv(image)).mean((2, 3))
        return self.fc(torch.cat([pooled, features], dim=1))


class DictOutputNet(nn.Module):
    """A dict of two outputs, one of them image-like: ``logits`` (batch, 5) and ``aux`` (batch, 8, 16, 16)."""

    inputs = (IMAGE,)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, 2, 1)
        self.fc = nn.Linear(8, 5)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        maps = torch.sigmoid(self.conv(image))
        return {"logits": self.fc(maps.mean((2, 3))), "aux": maps}


class NestedOutputNet(nn.Module):
    """A tuple that holds a tensor and a list of tensors: (batch, 8), [(batch, 8, 16, 16), (batch, 8, 8, 8)]."""

    inputs = (IMAGE,)

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 2, 1)
        self.conv2 = nn.Conv2d(8, 8, 3, 2, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        fine = functional.relu(self.conv1(image))
        coarse = functional.relu(self.conv2(fine))
        return coarse.mean((2, 3)), [fine, coarse]


class TokenNet(nn.Module):
    """Integer tokens, embedding, one self-attention layer. (batch, 12) int64 in 0..99 → (batch, 3)."""

    inputs = (TOKENS,)

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(100, 16)
        self.norm = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.fc = nn.Linear(16, 3)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        query, key, value = self.qkv(self.norm(x)).chunk(3, dim=-1)
        x = x + functional.scaled_dot_product_attention(query, key, value)
        return self.fc(functional.gelu(x).mean(1))


class UnsupportedOpNet(nn.Module):
    """A Cholesky factor, which ONNX has no operator for. (batch, 8) → (batch, 4)."""

    inputs = (FEATURES,)

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 16)

    def forward(self, features: Tensor) -> Tensor:
        square = self.fc(features).reshape(-1, 4, 4)
        positive = square @ square.transpose(1, 2) + torch.eye(4)
        return torch.linalg.cholesky(positive).diagonal(dim1=1, dim2=2)


class BranchNet(nn.Module):
    """A Python branch on a value in the data: a trace takes one side of it for good. (batch, 8) → (batch, 8)."""

    inputs = (FEATURES,)

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, features: Tensor) -> Tensor:
        x = self.fc(features)
        if x.sum() > 0:
            return x * 2
        return x - 1


@dataclass(frozen=True)
class Net:
    """A net ready to use: in eval mode, weights seeded, batch-norm statistics estimated."""

    module: nn.Module
    inputs: tuple[InputSpec, ...]

    def example(self, batch: int = 2, seed: int = 0) -> tuple[Tensor, ...]:
        """One batch of every input, in order, seeded."""
        generator = torch.Generator().manual_seed(seed)
        return tuple(_draw(spec, batch, generator) for spec in self.inputs)


def _draw(spec: InputSpec, batch: int, generator: torch.Generator) -> Tensor:
    shape = [batch if isinstance(dim, str) else dim for dim in spec.shape]
    if spec.dtype.startswith("int"):
        assert spec.low is not None
        assert spec.high is not None
        return torch.randint(int(spec.low), int(spec.high) + 1, shape, generator=generator)
    return torch.randn(shape, generator=generator)


def ready(kind: type[nn.Module], *, seed: int = 0) -> Net:
    """The net of that class, seeded, its batch-norm statistics estimated on its own inputs, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Net(kind(), kind.inputs)  # type: ignore[attr-defined]
    settle_batch_norm(net.module, [net.example(16, seed) for seed in range(1, 5)])
    return net


def settle_batch_norm(module: nn.Module, batches: list[tuple[Tensor, ...]]) -> None:
    """Estimate every batch norm's statistics as the plain mean over ``batches``; leaves the module in eval mode."""
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    module.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        for batch in batches if norms else []:
            module(*batch)
    module.eval()
