"""What the corrections are called, on the command line and in recipes."""

from __future__ import annotations

from enum import StrEnum

from verify.errors import InputError


class Correction(StrEnum):
    """One method, named as on the command line. They are applied in this order, whatever order they are given in."""

    NORM = "norm"
    """Layer normalisations become L2_NORMALIZATION, which holds the variance in more than 8 bits."""
    AFFINE = "affine"
    """A batch norm that no layer took in becomes one op: one rounding, not two."""
    EQUALIZE = "equalize"
    """Channels of an activation are made equally wide, where ReLU and sums let factors pass (1906.04721)."""
    CONCAT = "concat"
    """The same for channels that a concatenation joins alone: no branch is crushed by the scale that all share."""
    RESIDUAL = "residual"
    """The same for channels that sums of activations join alone."""
    SMOOTH = "smooth"
    """The same after a normalisation, whose own factors take it up (2211.10438)."""
    SHIFT = "shift"
    """Channels are moved towards zero, where biases can give and take back the move (2304.09145)."""
    ROUND = "gptq"
    """Weights are rounded so that each layer's output changes least on the samples (2210.17323)."""
    BIAS = "bias"
    """Biases take back the mean error of each channel, layer after layer (1906.04721, section 4.2)."""


STRUCTURAL = frozenset({Correction.NORM, Correction.AFFINE})
"""These put other ops in the place of some."""

ONLY_INT8 = frozenset({Correction.NORM})
"""LiteRT has no int16 kernel for what these put there."""

SCALING = frozenset({Correction.EQUALIZE, Correction.CONCAT, Correction.RESIDUAL, Correction.SMOOTH, Correction.SHIFT})
"""These change constants by what samples show."""

EXACT = STRUCTURAL | SCALING
"""These change no result of the float model; the others change how it is rounded."""

GUARDED = frozenset({Correction.NORM, Correction.AFFINE, Correction.CONCAT})
"""Exact ones that are kept only where the int8 file comes closer to the float model by them."""

AUTO: tuple[Correction, ...] = (*(each for each in Correction if each in GUARDED), Correction.ROUND, Correction.BIAS)
"""What ``auto`` comes to."""


NAMES = tuple(map(str, Correction))
CHOICE = f"auto, none, or some of {','.join(NAMES)}"
"""What ``--corrections`` takes."""


def parse_corrections(text: str) -> tuple[Correction, ...]:
    """``auto``, ``none``, or names with commas between them; raises ``InputError`` for a name that is none."""
    named = {"auto": AUTO, "none": ()}
    if text in named:
        return named[text]
    wanted = {name.strip() for name in text.split(",")}
    known = NAMES
    unknown = sorted(wanted.difference(known))
    if unknown:
        raise InputError(
            f"there is no correction {unknown[0]!r}",
            fix=f"give {CHOICE} with commas between them",
        )
    return tuple(each for each in Correction if each in wanted)
