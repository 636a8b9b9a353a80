from __future__ import annotations

import numpy as np
import pytest
from rewritten import Rewritten


def net(body: str, **shapes: tuple[int, ...]) -> Rewritten:
    random = np.random.default_rng(0)
    weights = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    return Rewritten(f"net (float[N, 6] x) => (float[N, 5] y) {{ {body} }}", **weights)


@pytest.mark.parametrize("biases", [("", ""), (", b", ""), ("", ", c"), (", b", ", c")])
def test_the_mean_of_two_heads_is_one_dense_layer(biases):
    one, other = biases
    body = f"""p = Gemm <transB = 1> (x, w{one}) q = Gemm <transB = 1> (x, v{other}) s = Add(p, q)
        two = Constant <value_float = 2.0> () y = Div(s, two)"""
    case = net(body, w=(5, 6), v=(5, 6), b=(5,), c=(5,))
    assert case.ops["Gemm"] == 1
    assert not {"Add", "Div"} & set(case.ops)
    assert case.difference() < 1e-5


@pytest.mark.parametrize(
    "body",
    [
        "r = Relu(x) p = Gemm(x, w) q = Gemm(r, v) y = Add(p, q)",
        "p = Gemm(x, w) q = Gemm <transB = 1> (x, u) y = Add(p, q)",
        "p = Gemm(x, w) q = Gemm <alpha = 2.0> (x, v) y = Add(p, q)",
        "p = Gemm(x, w) q = Gemm(x, v) s = Add(p, q) r = Relu(p) y = Add(s, r)",
        "p = Gemm(x, w) y = Add(p, p)",
    ],
    ids=["another_input", "other_way_round", "scaled", "another_reader", "one_layer_twice"],
)
def test_other_sums_stay(body):
    case = net(body, w=(6, 5), v=(6, 5), u=(5, 6))
    assert "parallel_dense" not in {note.rewrite for note in case.notes}
    assert case.difference() < 1e-5
