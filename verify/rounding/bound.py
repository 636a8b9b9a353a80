"""Bounds on the error of ``count`` float32 roundings, one after the other, relative to what is computed.

An op that adds up K products makes K roundings, whatever their order. Roundings are carried to an output by adding up
those of every op that it depends on, each once: (1 + θ_j)(1 + θ_k) = 1 + θ_(j+k) (Higham, Accuracy and Stability of
Numerical Algorithms, 2002, Lemma 3.3). That takes no op to amplify the relative error of what it is given. Where values
nearly cancel one does, and only a measured floor sees it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

UNIT_ROUNDOFF = 2.0**-24
"""Of float32: the largest relative error of one rounding to nearest."""


@dataclass(frozen=True)
class Roundings:
    """Of one output of a graph: how many; ``None`` where that cannot be said, and then why."""

    output: str
    count: int | None
    reason: str = ""


def worst_error(count: int) -> float:
    """γ_n = n·u / (1 - n·u): no n roundings make more (Higham 2002, Lemma 3.1); infinite from 2^24 on."""
    product = count * UNIT_ROUNDOFF
    return product / (1 - product) if product < 1 else math.inf


def expected_error(count: int) -> float:
    """0.3 · √n · u: the size of n roundings that are independent and of mean zero.

    √n is Higham and Mary's (SIAM J. Sci. Comput. 41, 2019, Theorem 2.4, whose λ√n·u bounds what 0.3·√n·u is the size
    of). 0.3 is 0.42, the root mean square of a rounding in units of u over all mantissas, times √½, as partial sums are
    smaller than the whole. Measured on 15 nets (3 samples, float64 against onnxruntime and LiteRT; 830 to 31,716
    roundings), in √n·u: 0.01 to 0.43, median 0.08. One that random pixels drive far from what it was made for,
    EfficientNet-B0, had 18 and 210: it amplifies, and its γ_n, 51 dB, excludes nothing.
    """
    return 0.3 * math.sqrt(max(count, 1)) * UNIT_ROUNDOFF
