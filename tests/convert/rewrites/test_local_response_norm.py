from __future__ import annotations

import numpy as np
import pytest
from rewritten import Rewritten


def spelled_as_torch_does(
    *, size: int = 5, before: int = 2, after: int = 2, squared: str = "r", divided: str = "r"
) -> Rewritten:
    amounts = np.array([0, 0, before, 0, 0, 0, 0, after, 0, 0])
    text = f"""net (float[N, 6, 4, 5] x) => (float[N, 6, 4, 5] y) {{
        r = Relu(x)
        q = Mul({squared}, {squared})
        apart = Constant <value_ints = [-1, 1, 6, 4, 5]> ()
        s = Reshape(q, apart)
        p = Pad(s, amounts)
        m = AveragePool <kernel_shape = [{size}, 1, 1], count_include_pad = 1> (p)
        one = Constant <value_ints = [1]> ()
        d = Squeeze(m, one)
        alpha = Constant <value_float = 0.5> ()
        scaled = Mul(d, alpha)
        k = Constant <value_float = 2.0> ()
        shifted = Add(k, scaled)
        beta = Constant <value_float = 0.75> ()
        w = Pow(shifted, beta)
        y = Div({divided}, w) }}"""
    return Rewritten(text, amounts=amounts)


def test_a_local_response_norm_becomes_one_op():
    net = spelled_as_torch_does()
    assert net.ops == {"Relu": 1, "LRN": 1}
    assert net.attribute("LRN", "size") == 5
    assert net.difference(scale=3.0) < 1e-6


@pytest.mark.parametrize(
    "other",
    [
        {"size": 4, "before": 2, "after": 1},
        {"size": 5, "before": 4, "after": 0},
        {"squared": "x"},
        {"divided": "x"},
    ],
    ids=["even", "leaning", "other square", "other dividend"],
)
def test_what_is_no_local_response_norm_stays(other):
    net = spelled_as_torch_does(**other)
    assert "LRN" not in net.ops
    assert net.difference() == 0
