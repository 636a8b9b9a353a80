"""The systems that tutorials teach, small: classifiers, detectors, and nets on tables, sound and pairs.

Each class builds without arguments, so it also serves as ``--arch tests/subjects/tutorials.py:LeNet5``; ``inputs`` is
what ``--input`` would say. Those that give images are in ``image_makers.py``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from verify.samples import InputSpec

DIGIT = InputSpec("image", ("N", 1, 28, 28))
IMAGE = InputSpec("image", ("N", 3, 32, 32))


class LeNet5(nn.Module):
    """LeCun et al., 1998: tanh and average pooling. (batch, 1, 28, 28) → (batch, 10)."""

    inputs = (DIGIT,)

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)
        )
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.classifier(self.features(image))


class AlexNetWithLrn(nn.Module):
    """Krizhevsky et al., 2012: local response normalisation, grouped convolutions, overlapping pools."""

    inputs = (InputSpec("image", ("N", 3, 64, 64)),)

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(16, 32, 5, padding=2, groups=2),
            nn.ReLU(inplace=True),
            nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0),
            nn.MaxPool2d(3, 2),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(32 * 3 * 3, 32), nn.ReLU(inplace=True), nn.Linear(32, 10)
        )

    def forward(self, image: Tensor) -> Tensor:
        x = self.features(image)
        return self.classifier(x.view(x.size(0), 288))


class TwoLayerNet(nn.Module):
    """A picture as a vector, one hidden layer, probabilities in logarithms. (batch, 1, 28, 28) → (batch, 10)."""

    inputs = (DIGIT,)

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(784, 100)
        self.out = nn.Linear(100, 10)

    def forward(self, image: Tensor) -> Tensor:
        return functional.log_softmax(self.out(self.hidden(image.view(-1, 784)).clamp(min=0)), dim=1)


class ParallelBlocks(nn.Module):
    """Three branches of one input, multiplied together. (batch, 3, 32, 32) → (batch, 5)."""

    inputs = (IMAGE,)

    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(3, 8, size, padding=size // 2), nn.BatchNorm2d(8), activation)
            for size, activation in ((1, nn.Sigmoid()), (3, nn.Tanh()), (5, nn.ReLU()))
        )
        self.head = nn.Linear(8, 5)

    def forward(self, image: Tensor) -> Tensor:
        product = self.branches[0](image)
        for branch in self.branches[1:]:
            product = product * branch(image)
        return self.head(product.mean(dim=(2, 3)))


class PNet(nn.Module):
    """MTCNN's proposal net (Zhang et al., 2016): fully convolutional. (batch, 3, 32, 40) → scores and boxes as maps."""

    inputs = (InputSpec("image", ("N", 3, 32, 40), low=-1.0, high=1.0),)

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 10, 3), nn.PReLU(10), nn.MaxPool2d(2, 2, ceil_mode=True),
            nn.Conv2d(10, 16, 3), nn.PReLU(16),
            nn.Conv2d(16, 32, 3), nn.PReLU(32),
        )  # fmt: skip
        self.scores = nn.Conv2d(32, 2, 1)
        self.boxes = nn.Conv2d(32, 4, 1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        x = self.body(image)
        return {"scores": self.scores(x).softmax(dim=1), "boxes": self.boxes(x)}


class RNet(nn.Module):
    """MTCNN's refining net. Its published weights flatten width before height. (batch, 3, 24, 24) → scores, boxes."""

    inputs = (InputSpec("image", ("N", 3, 24, 24), low=-1.0, high=1.0),)

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 28, 3), nn.PReLU(28), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(28, 48, 3), nn.PReLU(48), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(48, 64, 2), nn.PReLU(64),
        )  # fmt: skip
        self.dense = nn.Sequential(nn.Linear(576, 128), nn.PReLU(128))
        self.scores = nn.Linear(128, 2)
        self.boxes = nn.Linear(128, 4)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = self.body(image).permute(0, 3, 2, 1).contiguous()
        x = self.dense(x.view(x.shape[0], -1))
        return self.boxes(x), self.scores(x).softmax(dim=1)


class ONet(nn.Module):
    """MTCNN's output net: boxes, landmarks and scores. (batch, 3, 48, 48) → (batch, 4), (batch, 10), (batch, 2)."""

    inputs = (InputSpec("image", ("N", 3, 48, 48), low=-1.0, high=1.0),)

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 3), nn.PReLU(32), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(32, 64, 3), nn.PReLU(64), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(64, 64, 3), nn.PReLU(64), nn.MaxPool2d(2, 2, ceil_mode=True),
            nn.Conv2d(64, 128, 2), nn.PReLU(128),
        )  # fmt: skip
        self.dense = nn.Sequential(nn.Linear(1152, 256), nn.PReLU(256))
        self.scores = nn.Linear(256, 2)
        self.boxes = nn.Linear(256, 4)
        self.landmarks = nn.Linear(256, 10)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.body(image).permute(0, 3, 2, 1).contiguous()
        x = self.dense(x.view(x.shape[0], -1))
        return self.boxes(x), self.landmarks(x), self.scores(x).softmax(dim=1)


class SwishFunction(torch.autograd.Function):
    """The memory-efficient Swish of EfficientNet-PyTorch: it keeps its input alone and recomputes the rest."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        gate = torch.sigmoid(x)
        return gradient * (gate * (1 + x * (1 - gate)))


class MemoryEfficientSwish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return SwishFunction.apply(x)


class EfficientNetLike(nn.Module):
    """An inverted residual with squeeze-excite and the custom Swish. (batch, 3, 32, 32) → (batch, 10)."""

    inputs = (IMAGE,)

    def __init__(self) -> None:
        super().__init__()
        self.swish = MemoryEfficientSwish()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False)
        self.depthwise_norm = nn.BatchNorm2d(8)
        self.reduce = nn.Conv2d(8, 2, 1)
        self.expand = nn.Conv2d(2, 8, 1)
        self.project = nn.Conv2d(8, 8, 1, bias=False)
        self.project_norm = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.swish(self.stem_norm(self.stem(image)))
        y = self.swish(self.depthwise_norm(self.depthwise(x)))
        squeezed = self.swish(self.reduce(functional.adaptive_avg_pool2d(y, 1)))
        y = torch.sigmoid(self.expand(squeezed)) * y
        x = x + self.project_norm(self.project(y))
        return self.fc(x.mean([-1, -2]))


class SingleChannelCnn(nn.Module):
    """Grey pictures through a single channel and back: no axis tells them apart. (batch, 1, 28, 28) → (batch, 1)."""

    inputs = (DIGIT,)

    def __init__(self) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(1, 1, 3, padding=1)
        self.wide = nn.Conv2d(1, 28, 3, padding=1)
        self.back = nn.Conv2d(28, 1, 28)

    def forward(self, image: Tensor) -> Tensor:
        x = functional.relu(self.wide(self.narrow(image)) + image)
        return torch.sigmoid(self.back(x)).squeeze(-1).squeeze(-1)


class SiameseNet(nn.Module):
    """One tower over two pictures, and how far apart they come out. Two (batch, 1, 28, 28) → (batch,)."""

    inputs = (InputSpec("left", ("N", 1, 28, 28)), InputSpec("right", ("N", 1, 28, 28)))

    def __init__(self) -> None:
        super().__init__()
        self.tower = nn.Sequential(nn.Conv2d(1, 4, 5, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(144, 16))

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return functional.pairwise_distance(self.tower(left), self.tower(right))


class TabularNet(nn.Module):
    """Numbers and categories: an embedding a category, residual layers. (batch, 6), (batch, 3) int64 → (batch, 2)."""

    inputs = (InputSpec("numbers", ("N", 6)), InputSpec("categories", ("N", 3), dtype="int64", low=0, high=4))

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(count, 4) for count in (5, 7, 9))
        self.norm = nn.BatchNorm1d(6)
        self.first = nn.Linear(18, 16)
        self.residual = nn.Sequential(
            nn.BatchNorm1d(16), nn.Linear(16, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 16)
        )
        self.head = nn.Linear(16, 2)

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        embedded = [table(categories[:, place]) for place, table in enumerate(self.embeddings)]
        x = self.first(torch.cat([self.norm(numbers), *embedded], dim=1))
        return self.head(x + self.residual(x))


class AudioCnn(nn.Module):
    """M5 (Dai et al., 2017) on a raw waveform: 1-D convolutions and pools. (batch, 1, 800) → (batch, 10)."""

    inputs = (InputSpec("waveform", ("N", 1, 800)),)

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(1, 8, 40, stride=4), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(4),
            nn.Conv1d(8, 16, 3, dilation=2), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(4, padding=1),
        )  # fmt: skip
        self.fc = nn.Linear(16, 10)

    def forward(self, waveform: Tensor) -> Tensor:
        x = self.body(waveform)
        x = functional.avg_pool1d(x, x.shape[-1]).permute(0, 2, 1)
        return functional.log_softmax(self.fc(x), dim=2).squeeze(1)


class YoloHead(nn.Module):
    """Two scales, boxes decoded with constant grids and anchors (Redmon and Farhadi, 2018) → (batch, 160, 7)."""

    inputs = (IMAGE,)
    anchors = (((10, 13), (16, 30)), ((30, 61), (62, 45)))

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.LeakyReLU(0.1))
        self.coarse = nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1), nn.LeakyReLU(0.1))
        self.lateral = nn.Conv2d(16, 8, 1)
        self.heads = nn.ModuleList((nn.Conv2d(16, 14, 1), nn.Conv2d(16, 14, 1)))
        self.register_buffer("sizes", torch.tensor(self.anchors, dtype=torch.float32))

    def forward(self, image: Tensor) -> Tensor:
        fine = self.fine(image)
        coarse = self.coarse(fine)
        up = functional.interpolate(self.lateral(coarse), scale_factor=2, mode="nearest")
        maps = (self.heads[0](torch.cat([fine, up], dim=1)), self.heads[1](coarse))
        return torch.cat([self._decoded(each, scale) for scale, each in enumerate(maps)], dim=1)

    def _decoded(self, raw: Tensor, scale: int) -> Tensor:
        batch, _, height, width = raw.shape
        raw = raw.view(batch, 2, 7, height, width).permute(0, 1, 3, 4, 2).contiguous()
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        grid = torch.stack((columns, rows), 2).view(1, 1, height, width, 2).float()
        stride = 4.0 * 2**scale
        centres = (raw[..., 0:2].sigmoid() * 2 - 0.5 + grid) * stride
        extents = (raw[..., 2:4].sigmoid() * 2) ** 2 * self.sizes[scale].view(1, 2, 1, 1, 2)
        return torch.cat((centres, extents, raw[..., 4:].sigmoid()), dim=-1).view(batch, -1, 7)
