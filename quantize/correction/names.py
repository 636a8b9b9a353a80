"""What the corrections are called, on the command line and in recipes."""

from __future__ import annotations

from enum import StrEnum

from verify.errors import InputError


class Correction(StrEnum):
    """One method, named as on the command line. They are applied in this order, whatever order they are given in."""

    EQUALIZE = "equalize"
    """Channels of an activation are made equally wide, where ReLU and sums let factors pass (1906.04721)."""
    SMOOTH = "smooth"
    """The same after a normalisation, whose own factors take it up (2211.10438)."""
    ROUND = "gptq"
    """Weights are rounded so that each layer's output changes least on the samples (2210.17323)."""
    BIAS = "bias"
    """Biases take back the mean error of each channel, layer after layer (1906.04721, section 4.2)."""


EXACT = frozenset({Correction.EQUALIZE, Correction.SMOOTH})
"""These change no result of the float model; the others change how it is rounded."""

AUTO: tuple[Correction, ...] = (Correction.ROUND, Correction.BIAS)
"""What ``auto`` comes to."""


def parse_corrections(text: str) -> tuple[Correction, ...]:
    """``auto``, ``none``, or names with commas between them; raises ``InputError`` for a name that is none."""
    named = {"auto": AUTO, "none": ()}
    if text in named:
        return named[text]
    wanted = {name.strip() for name in text.split(",")}
    known = [str(each) for each in Correction]
    unknown = sorted(wanted.difference(known))
    if unknown:
        raise InputError(
            f"there is no correction {unknown[0]!r}",
            fix=f"give auto, none, or some of {','.join(known)} with commas between them",
        )
    return tuple(each for each in Correction if each in wanted)
