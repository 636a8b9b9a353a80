"""What corrections decided, as recipes keep it.

Only differences are kept, packed: factors of constants of the float file, by how many steps a weight was rounded away
from the nearest, what was added to a bias. They stand in the recipe itself, for a recipe is one file that is either
there or not, and remakes a file without the samples and without solving anything again.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ScaledConstant:
    """A constant of the float file times ``factors``: packed float32 of ``shape``, which broadcasts against it."""

    tensor: str
    shape: tuple[int, ...]
    factors: str


@dataclass(frozen=True)
class RoundedWeights:
    """``steps``, packed int8, are added to weights as the quantizer rounds them."""

    tensor: str
    steps: str


@dataclass(frozen=True)
class MovedBias:
    """``by``, packed float32 in real units, is added to a bias."""

    tensor: str
    by: str


@dataclass(frozen=True)
class Corrections:
    """``names`` are the methods that were used, ``structure`` those of them that put other ops in the place of some.

    With ``own_biases`` no layers share a bias, and none lacks one.
    """

    names: tuple[str, ...] = ()
    structure: tuple[str, ...] = ()
    own_biases: bool = False
    scaled: tuple[ScaledConstant, ...] = ()
    shifted: tuple[MovedBias, ...] = ()
    """Of the float file, after it was scaled; ``biases`` are the int8 file's."""
    rounded: tuple[RoundedWeights, ...] = ()
    biases: tuple[MovedBias, ...] = ()
