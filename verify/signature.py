"""What a model takes and gives: names, dtypes, symbolic dims, layouts. Imports no framework.

A layout is declared as the permutation from PyTorch's, ``artifact_array = torch_array.transpose(permutation)``:
an NHWC tensor of an NCHW original has ``(0, 2, 3, 1)``. The comparator applies what is declared and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Dim = int | str
"""A static size, or the name of a dynamic axis (``"N"`` is the batch)."""

BATCH = "N"


@dataclass(frozen=True)
class Quantization:
    """Affine per-tensor quantization: ``real = scale * (stored - zero_point)``."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model, as the artifact itself has it.

    ``shape`` is in the artifact's own axis order. ``permutation`` leads from the PyTorch axis order to it;
    ``None`` means the same order.
    """

    name: str
    dtype: str
    shape: tuple[Dim, ...]
    permutation: tuple[int, ...] | None = None
    quantization: Quantization | None = None

    def from_torch(self, array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """A real-valued array in PyTorch layout → what this tensor stores (transposed, quantized)."""
        import numpy as np

        if self.permutation is not None:
            array = array.transpose(self.permutation)
        if self.quantization is not None:
            limits = np.iinfo(np.dtype(self.dtype))
            scaled = (
                np.rint(array.astype(np.float32) / np.float32(self.quantization.scale)) + self.quantization.zero_point
            )
            array = np.clip(scaled, limits.min, limits.max)
        return np.asarray(array, dtype=np.dtype(self.dtype), order="C")

    def to_torch(self, array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """What this tensor stores → the real-valued array in PyTorch layout."""
        import numpy as np

        if self.quantization is not None:
            centred = array.astype(np.float32) - np.float32(self.quantization.zero_point)
            array = centred * np.float32(self.quantization.scale)
        if self.permutation is not None:
            array = array.transpose(np.argsort(self.permutation))
        return array

    @property
    def torch_shape(self) -> tuple[Dim, ...]:
        """The shape in PyTorch axis order."""
        if self.permutation is None:
            return self.shape
        return tuple(self.shape[self.permutation.index(axis)] for axis in range(len(self.permutation)))


@dataclass(frozen=True)
class DynamicAxis:
    """What is known of a dynamic axis but the batch: its size is ``offset`` and any multiple of ``multiple_of``."""

    name: str
    multiple_of: int = 1
    offset: int = 0
    least: int = 1

    def at_least(self, size: float) -> int:
        """The smallest possible size from there on."""
        wanted = max(math.ceil(size), self.least) - self.offset
        return self.offset + -(-wanted // self.multiple_of) * self.multiple_of

    def at_most(self, size: float, *, unless: int) -> int:
        """The largest possible size up to there; ``unless`` there is none: that instead."""
        found = self.offset + (math.floor(size) - self.offset) // self.multiple_of * self.multiple_of
        return found if found >= max(self.least, 1) else unless


@dataclass(frozen=True)
class Signature:
    """A model's inputs and outputs, in order, and what is known of their dynamic axes."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    axes: tuple[DynamicAxis, ...] = ()

    def input(self, name: str) -> TensorSpec:
        """The input of that name; ``KeyError`` if there is none."""
        return _named(self.inputs, name)

    def output(self, name: str) -> TensorSpec:
        """The output of that name; ``KeyError`` if there is none."""
        return _named(self.outputs, name)


def _named(specs: tuple[TensorSpec, ...], name: str) -> TensorSpec:
    for spec in specs:
        if spec.name == name:
            return spec
    raise KeyError(f"{name!r} is none of {', '.join(spec.name for spec in specs)}")


def channels_last_permutation(rank: int) -> tuple[int, ...] | None:
    """PyTorch layout → channels-last for image-like ranks (4 and 5); ``None`` for the others, which keep theirs."""
    if rank not in (4, 5):
        return None
    return (0, *range(2, rank), 1)
