"""Rewrites keep what a branch reads of the graph around it, and what it gives back."""

from __future__ import annotations

import numpy as np
from rewritten import Rewritten

_BATCH_NORM_IN_A_BRANCH = """
    agraph (float[N, 3, 8, 8] x) => (float[N, 4, 8, 8] y)
    <float zero = {{0.0}}> {{
        a = Conv <pads = [1, 1, 1, 1]> (x, w, b)
        sum = ReduceSum <keepdims = 0> (x)
        yes = Greater (sum, zero)
        y = If (yes) <
            then_branch = one () => (float[N, 4, 8, 8] z1) {{ z1 = BatchNormalization (a, s, o, m, v) }},
            else_branch = other () => (float[N, 4, 8, 8] z2) {{ {other} }}
        >
    }}
"""


def _weights() -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    shapes = {"w": (4, 3, 3, 3), "b": (4,), "s": (4,), "o": (4,), "m": (4,)}
    drawn = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    return {**drawn, "v": np.full(4, 0.7, np.float32)}


def test_a_batch_norm_in_a_branch_is_not_folded_into_what_the_other_branch_reads() -> None:
    model = Rewritten(_BATCH_NORM_IN_A_BRANCH.format(other="z2 = Relu (a)"), **_weights())

    assert model.difference() < 1e-6


def test_a_branch_keeps_an_output_of_its_own() -> None:
    model = Rewritten(_BATCH_NORM_IN_A_BRANCH.format(other="z2 = Conv <pads = [1, 1, 1, 1]> (x, w, b)"), **_weights())

    assert model.difference() < 1e-6
