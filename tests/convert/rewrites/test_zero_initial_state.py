"""A recurrent op's state of zeros disappears; a state that is anything else stays."""

from __future__ import annotations

import numpy as np
import pytest
from rewritten import Rewritten

_GRU = """
    agraph (float[N, 5, 3] x) => (float[5, 1, N, 4] y)
    <int64[1] one = {1}, int64[1] four = {4}> {
        n = Shape <start = 0, end = 1> (x)
        sizes = Concat <axis = 0> (one, n, four)
        state = Expand (fill, sizes)
        steps = Transpose <perm = [1, 0, 2]> (x)
        y = GRU <hidden_size = 4> (steps, w, r, "", "", state)
    }
"""


@pytest.mark.parametrize(("fill", "left"), [(0.0, {"Transpose", "GRU"}), (0.5, {"Shape", "Concat", "Expand"})])
def test_only_a_state_of_zeros_is_dropped(fill: float, left: set[str]) -> None:
    random = np.random.default_rng(0)
    weights = {name: random.standard_normal((1, 12, size)).astype(np.float32) for name, size in (("w", 3), ("r", 4))}

    model = Rewritten(_GRU, **weights, fill=np.full((1, 1, 1), fill, np.float32))

    assert left <= set(model.ops)
    assert ("Expand" in model.ops) == (fill != 0)
    assert model.difference() == 0
