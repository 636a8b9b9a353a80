"""One input of a model as PyTorch takes it, and how an image file becomes one."""

from __future__ import annotations

from dataclasses import dataclass

from verify.signature import Dim

SPATIAL_SIZE = 64
"""For a dynamic height, width or depth: five halvings leave 2."""
SEQUENCE_SIZE = 16
"""For any other dynamic axis."""

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
    sizes: tuple[int, ...] = ()
    """Where axes are named: the size that each is traced at and first run at; empty where none is known."""

    def size_at(self, axis: int) -> int:
        """A static size; for a named axis (not the batch) the size it is traced at, one that most nets take if none."""
        dim = self.shape[axis]
        if isinstance(dim, int):
            return dim
        if self.sizes:
            return self.sizes[axis]
        spatial = len(self.shape) >= 4 and axis >= 2
        if spatial and self.preprocessing is not None:
            return self.preprocessing.crop
        return SPATIAL_SIZE if spatial else SEQUENCE_SIZE
