"""The systems that tutorials teach, small: nets that give images and maps, and those that start from none."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from verify.samples import InputSpec

IMAGE = InputSpec("image", ("N", 3, 32, 32))


def _double_conv(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False), nn.BatchNorm2d(channels_out), nn.ReLU(True),
        nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False), nn.BatchNorm2d(channels_out), nn.ReLU(True),
    )  # fmt: skip


class UNet(nn.Module):
    """Ronneberger et al., 2015: transposed convolutions up, sizes padded to fit. (batch, 3, 30, 34) → the same."""

    inputs = (InputSpec("image", ("N", 3, 30, 34)),)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = _double_conv(3, 8), _double_conv(8, 16), _double_conv(16, 16)
        self.up_second = nn.ConvTranspose2d(16, 16, 2, stride=2)
        self.back_second = _double_conv(32, 8)
        self.up_first = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.back_first = _double_conv(16, 8)
        self.out = nn.Conv2d(8, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        first = self.first(image)
        second = self.second(functional.max_pool2d(first, 2))
        third = self.third(functional.max_pool2d(second, 2))
        x = self.back_second(self._beside(second, self.up_second(third)))
        return self.out(self.back_first(self._beside(first, self.up_first(x))))

    def _beside(self, skip: Tensor, x: Tensor) -> Tensor:
        down, across = skip.size(2) - x.size(2), skip.size(3) - x.size(3)
        x = functional.pad(x, [across // 2, across - across // 2, down // 2, down - down // 2])
        return torch.cat([skip, x], dim=1)


class Autoencoder(nn.Module):
    """Down to a code and up again by transposed convolutions. (batch, 1, 28, 28) → the same."""

    inputs = (InputSpec("image", ("N", 1, 28, 28)),)

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(784, 12),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(12, 784), nn.ReLU(), nn.Unflatten(1, (16, 7, 7)),
            nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1), nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 3, stride=2, padding=1, output_padding=1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        code = self.encoder(image)
        return {"picture": self.decoder(code), "code": code}


class DcganGenerator(nn.Module):
    """Radford et al., 2016: a vector becomes a picture. (batch, 20) → (batch, 3, 32, 32)."""

    inputs = (InputSpec("noise", ("N", 20)),)

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ConvTranspose2d(20, 16, 4, 1, 0, bias=False), nn.BatchNorm2d(16), nn.ReLU(True),
            nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(True),
            nn.ConvTranspose2d(8, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(True),
            nn.ConvTranspose2d(8, 3, 4, 2, 1, bias=False), nn.Tanh(),
        )  # fmt: skip

    def forward(self, noise: Tensor) -> Tensor:
        return self.body(noise.view(noise.size(0), -1, 1, 1))


class PoseNet(nn.Module):
    """Simple baselines (Xiao et al., 2018): a heatmap a joint, and its expected place. (batch, 3, 32, 32) → both."""

    inputs = (IMAGE,)

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
            nn.ConvTranspose2d(8, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 5, 1),
        )  # fmt: skip

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        heatmaps = self.body(image)
        likely = heatmaps.flatten(2).softmax(dim=-1).view_as(heatmaps)
        down = (likely.sum(3) * torch.arange(16.0)).sum(2)
        across = (likely.sum(2) * torch.arange(16.0)).sum(2)
        return {"heatmaps": heatmaps, "points": torch.stack((across, down), dim=2)}


class StyleBlock(nn.Module):
    """Reflection padding, convolution, instance norm, a shortcut around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(1)
        self.conv = nn.Conv2d(channels, channels, 3)
        self.norm = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return x + functional.relu(self.norm(self.conv(self.pad(x))))


class StyleTransferNet(nn.Module):
    """Johnson et al., 2016: reflection padding, instance norm, nearest upsampling. (batch, 3, 32, 32) → the same."""

    inputs = (InputSpec("image", ("N", 3, 32, 32), low=0.0, high=255.0),)

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.ReflectionPad2d(4), nn.Conv2d(3, 8, 9), nn.InstanceNorm2d(8, affine=True), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(8, 8, 3, 2), nn.InstanceNorm2d(8, affine=True), nn.ReLU(),
        )  # fmt: skip
        self.block = StyleBlock(8)
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"), nn.ReflectionPad2d(1), nn.Conv2d(8, 8, 3),
            nn.InstanceNorm2d(8, affine=True), nn.ReLU(), nn.ReflectionPad2d(4), nn.Conv2d(8, 3, 9),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        return self.up(self.block(self.down(image)))


class SuperResolutionNet(nn.Module):
    """Shi et al., 2016: PixelShuffle at the end. (batch, 1, 16, 20) → (batch, 1, 48, 60)."""

    inputs = (InputSpec("luminance", ("N", 1, 16, 20)),)

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.Conv2d(16, 8, 3, padding=1), nn.ReLU(),
            nn.Conv2d(8, 9, 3, padding=1), nn.PixelShuffle(3),
        )  # fmt: skip

    def forward(self, luminance: Tensor) -> Tensor:
        return self.body(luminance)
