from __future__ import annotations

import numpy as np
from rewritten import Rewritten


def vector(seed: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.5, 1.5, size).astype(np.float32)


def test_tokens_flattened_and_taken_apart_again_are_left_alone():
    net = Rewritten(
        """net (float[N, 7, 6] x) => (float[N, 7, 6] y)
        { r = Relu(x) s = Constant <value_ints = [-1, 6]> () a = Reshape(r, s)
          t = Constant <value_ints = [-1, 7, 6]> () b = Reshape(a, t) y = Neg(b) }"""
    )
    assert net.ops == {"Relu": 1, "Neg": 1}
    assert net.difference() == 0


def test_of_two_reshapes_the_last_one_stays():
    net = Rewritten(
        """net (float[N, 7, 6] x) => (float[N, 7, 2, 3] y)
        { s = Constant <value_ints = [-1, 6]> () a = Reshape(x, s)
          t = Constant <value_ints = [-1, 7, 2, 3]> () y = Reshape(a, t) }"""
    )
    assert net.ops["Reshape"] == 1
    assert net.difference() == 0


def test_a_reshape_that_others_read_stays_for_them():
    net = Rewritten(
        """net (float[N, 7, 6] x) => (float[N, 2, 21] y, float[M, 6] z)
        { s = Constant <value_ints = [-1, 6]> () a = Reshape(x, s) z = Neg(a)
          t = Constant <value_ints = [-1, 2, 21]> () y = Reshape(a, t) }"""
    )
    assert net.ops["Reshape"] == 2
    assert net.difference() == 0


def test_a_size_copied_from_what_lay_between_is_kept():
    net = Rewritten(
        """net (float[N, 7, 6] x) => (float[N, 42] y)
        { s = Constant <value_ints = [-1, 42]> () a = Reshape(x, s)
          t = Constant <value_ints = [0, 6, 7]> () b = Reshape(a, t) y = Flatten(b) }"""
    )
    assert net.ops["Reshape"] == 2
    assert net.difference() == 0


def test_a_batch_norm_of_flattened_tokens_leaves_one_bias_and_one_projection_each():
    """LeViT: tokens flattened for the norm, taken apart by heads, cut into queries and values."""
    net = Rewritten(
        """net (float[N, 7, 6] x) => (float[N, 7, 2, 3] q, float[N, 7, 2, 2] v)
        { p = MatMul(x, w) s = Constant <value_ints = [-1, 10]> () a = Reshape(p, s)
          b = BatchNormalization(a, scale, shift, mean, var) t = Constant <value_ints = [-1, 7, 2, 5]> ()
          h = Reshape(b, t) parts = Constant <value_ints = [3, 2]> () k, l = Split <axis = 3> (h, parts)
          q = Relu(k) v = Tanh(l) }""",
        w=np.random.default_rng(0).standard_normal((6, 10)).astype(np.float32),
        scale=vector(1, 10),
        shift=vector(2, 10),
        mean=vector(3, 10),
        var=vector(4, 10),
    )
    assert {op: count for op, count in net.ops.items() if op != "Constant"} == {
        "MatMul": 2, "Add": 2, "Reshape": 2, "Relu": 1, "Tanh": 1,
    }  # fmt: skip
    assert net.difference() < 1e-5
