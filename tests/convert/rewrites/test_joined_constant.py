from __future__ import annotations

import numpy as np
import pytest
from rewritten import Rewritten

RANDOM = np.random.default_rng(4)
SIZES = "s = Shape <start = 0, end = 1> (x) rest = Constant <value_ints = [1, 1]> () e = Concat <axis = 0> (s, rest) "


def normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def tokens(body: str, *, rows: int, outputs: str = "", **weights: np.ndarray) -> Rewritten:
    """Five rows of each sample, joined with what ``body`` makes of the constants."""
    text = f"net (float[N, 5, 4] x) => (float[N, {rows}, 4] y{outputs}) {{ {SIZES} {body} }}"
    return Rewritten(text, **weights)


def test_a_class_token_and_positions_are_one_addition():
    body = "t = Expand(token, e) c = Concat <axis = 1> (t, x) y = Add(c, places)"
    case = tokens(body, rows=6, token=normal(1, 1, 4), places=normal(1, 6, 4))
    assert case.ops == {"Pad": 1, "Add": 1}
    assert case.difference() == 0


@pytest.mark.parametrize("places", [(6, 4), (4,), (1, 6, 1)])
def test_positions_of_fewer_axes_are_spread(places):
    body = "t = Expand(token, e) c = Concat <axis = 1> (t, x) y = Add(places, c)"
    case = tokens(body, rows=6, token=normal(1, 1, 4), places=normal(*places))
    assert case.ops == {"Pad": 1, "Add": 1}
    assert case.difference() == 0


def test_rows_on_both_sides_keep_their_places():
    body = "a = Expand(one, e) b = Expand(two, e) c = Expand(three, e) y = Concat <axis = 1> (a, b, x, c)"
    case = tokens(body, rows=10, one=normal(1, 1, 4), two=normal(2, 4), three=normal(1, 2, 4))
    assert case.ops == {"Pad": 1, "Add": 1}
    assert case.difference() == 0


def test_zeros_are_padding_alone():
    body = "zero = Constant <value_ints = [3, 4]> () z = Concat <axis = 0> (s, zero) "
    body += "o = ConstantOfShape(z) y = Concat <axis = 1> (x, o)"
    case = tokens(body, rows=8)
    assert case.ops == {"Pad": 1}
    assert case.difference() == 0


def test_what_reads_the_join_besides_the_addition_still_gets_the_rows():
    body = "t = Expand(token, e) z = Concat <axis = 1> (t, x) y = Add(z, places)"
    case = tokens(body, rows=6, outputs=", float[N, 6, 4] z", token=normal(1, 1, 4), places=normal(1, 6, 4))
    assert case.ops == {"Pad": 1, "Add": 2}
    assert case.difference() == 0


@pytest.mark.parametrize(
    "body",
    [
        "t = Expand(token, e) y = Concat <axis = 1> (t, x, x)",
        "n = Neg(x) r = ReduceMax <keepdims = 1> (n, one) t = Expand(r, e) y = Concat <axis = 1> (t, x)",
    ],
)
def test_rows_of_the_sample_itself_are_joined(body):
    rows = 11 if "x, x" in body else 6
    case = tokens(body, rows=rows, token=normal(1, 1, 4), one=np.array([1], np.int64))
    assert case.ops["Concat"] >= 1
    assert "Pad" not in case.ops
    assert case.difference() == 0
