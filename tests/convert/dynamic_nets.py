"""Nets whose pictures or sequences may have any size, and one that may not."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

IMAGE = "image=N,3,32,32"


def conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 3, stride, 1), nn.ReLU())


class Segmenter(nn.Module):
    """FCN: a head at a quarter of the size, bilinear to the input's."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(conv(3, 8, 2), nn.MaxPool2d(3, 2, 1), conv(8, 8))
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        small = self.head(self.backbone(image))
        return functional.interpolate(small, size=image.shape[-2:], mode="bilinear", align_corners=False)


class UNet(nn.Module):
    """Down twice; up once by a transposed convolution and once to the size of the skip."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.bottom = conv(3, 8), conv(8, 8), conv(8, 16)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.mid, self.top = conv(16, 8), nn.Conv2d(16, 2, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        first = self.down1(image)
        second = self.down2(functional.max_pool2d(first, 2))
        x = self.up(self.bottom(functional.max_pool2d(second, 2)))
        x = self.mid(torch.cat([x, second], 1))
        x = functional.interpolate(x, size=first.shape[-2:], mode="bilinear", align_corners=True)
        return self.top(torch.cat([x, first], 1))


class Gated(nn.Module):
    """LR-ASPP's head: a scale from global pooling, bilinear to the size of the low features, then to the input's."""

    def __init__(self) -> None:
        super().__init__()
        self.low, self.high = conv(3, 8, 2), conv(8, 16, 2)
        self.scale = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 8, 1), nn.Sigmoid())
        self.project, self.classify = nn.Conv2d(16, 8, 1), nn.Conv2d(8, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        low = self.low(image)
        high = self.high(low)
        x = self.project(high) * self.scale(high)
        x = functional.interpolate(x, size=low.shape[-2:], mode="bilinear", align_corners=False)
        return functional.interpolate(
            self.classify(x) + self.classify(low), size=image.shape[-2:], mode="bilinear", align_corners=False
        )


class SuperResolution(nn.Module):
    """Twice the size by PixelShuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.tail = conv(3, 12), nn.Conv2d(12, 12, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        return functional.pixel_shuffle(self.tail(self.body(image)), 2)


class Waves(nn.Module):
    """Conv1d over time, then a mean over it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(4, 8, 5, 2, 2), nn.Conv1d(8, 8, 3, padding=1)

    def forward(self, wave: Tensor) -> tuple[Tensor, Tensor]:
        frames = self.second(functional.gelu(self.first(wave)))
        return frames, frames.mean(2)


class Encoder(nn.Module):
    """A transformer over as many tokens as there are, with learnt positions."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(1000, 16), nn.Embedding(64, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        return self.layers(self.tokens(ids) + self.places(places))


class Flattened(nn.Module):
    """A classifier that takes one size."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.classify = conv(3, 4, 2), nn.Linear(4 * 16 * 16, 10)

    def forward(self, image: Tensor) -> Tensor:
        return self.classify(torch.flatten(self.features(image), 1))


class Windows(nn.Module):
    """Takes multiples of 8 only."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, image: Tensor) -> Tensor:
        return image.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).amax(dim=(3, 5)) * self.scale
