"""One input of a model as PyTorch takes it, and how an image file becomes one."""

from __future__ import annotations

from dataclasses import dataclass

from verify.signature import Dim

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ImagePreprocessing:
    """From an image file to an input: resize the short side, crop the centre, scale to 0..1, normalise.

    ``resize`` and ``crop`` are pixels; ``mean`` and ``std`` have one entry a channel, after scaling to 0..1.
    """

    resize: int
    crop: int
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    interpolation: str = "bilinear"


@dataclass(frozen=True)
class InputSpec:
    """One input of a model, as PyTorch takes it.

    ``shape`` includes the batch axis, by name. ``low`` and ``high`` bound what the input may hold (inclusive);
    integer inputs need them, float inputs without them are drawn from a standard normal distribution.
    """

    name: str
    shape: tuple[Dim, ...]
    dtype: str = "float32"
    low: float | None = None
    high: float | None = None
    preprocessing: ImagePreprocessing | None = None
