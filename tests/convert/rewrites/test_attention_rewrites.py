from __future__ import annotations

import numpy as np
import pytest
from rewritten import Rewritten

RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.standard_normal((8, 24)).astype(np.float32)
BIAS = RANDOM.standard_normal(24).astype(np.float32)

GATHERED = """
    i0 = Constant <value_int = 0> () i1 = Constant <value_int = 1> () i2 = Constant <value_int = 2> ()
    q = Gather <axis = 0> (t, i0) k = Gather <axis = 0> (t, i1) v = Gather <axis = 0> (t, i2)"""
SLICED = """
    a = Constant <value_ints = [0]> () b = Constant <value_ints = [1]> () c = Constant <value_ints = [2]> ()
    d = Constant <value_ints = [3]> ()
    q0 = Slice (t, a, b, a) q = Squeeze (q0, a) k0 = Slice (t, b, c, a) k = Squeeze (k0, a)
    v0 = Slice (t, c, d, a) v = Squeeze (v0, a)"""


def _attention(picks: str, scale: str = "s = Softmax (m)", cut: str = "-1, 5, 3, 2, 4", perm: str = "2, 0, 3, 1, 4"):
    return f"""net (float[N, 5, 8] x) => (float[N, 5, 8] y) {{
    p = MatMul (x, w) l = Add (p, b0) shape = Constant <value_ints = [{cut}]> () r = Reshape (l, shape)
    t = Transpose <perm = [{perm}]> (r) {picks}
    kt = Transpose <perm = [0, 1, 3, 2]> (k) m = MatMul (q, kt) {scale} o = MatMul (s, v)
    back = Transpose <perm = [0, 2, 1, 3]> (o)
    flat = Constant <value_ints = [-1, 5, 8]> () y = Reshape (back, flat) }}"""


@pytest.mark.parametrize(
    ("cut", "perm", "axis"),
    [("-1, 5, 2, 12", "0, 2, 1, 3", 3), ("-1, 5, 12, 2", "0, 3, 1, 2", -1), ("-1, 5, 12, 2", "0, 2, 1, 3", 1)],
)
def test_parts_may_be_split_off_too(cut, perm, axis):
    picks = f"sizes = Constant <value_ints = [4, 4, 4]> () q, k, v = Split <axis = {axis}> (t, sizes)"
    body = f"""net (float[N, 5, 8] x) => (float[N, z0, z1, z2] y) {{
    p = MatMul (x, w) l = Add (b0, p) shape = Constant <value_ints = [{cut}]> () r = Reshape (l, shape)
    t = Transpose <perm = [{perm}]> (r) {picks} a = Mul (q, k) y = Sub (a, v) }}"""
    net = Rewritten(body, w=WEIGHT, b0=BIAS)
    assert net.ops["MatMul"] == 3
    assert "Split" not in net.ops
    assert net.difference() < 1e-6


def test_a_product_that_is_split_as_it_is_becomes_two():
    net = Rewritten(
        """net (float[N, 5, 8] x) => (float[N, 5, 12] y) {
        p = MatMul (x, w) a, b = Split <axis = -1, num_outputs = 2> (p) g = Sigmoid (a) y = Mul (g, b) }""",
        w=WEIGHT,
    )
    assert net.ops["MatMul"] == 2
    assert net.difference() < 1e-6


@pytest.mark.parametrize("picks", [GATHERED, SLICED])
def test_queries_keys_and_values_are_projected_apart(picks):
    net = Rewritten(_attention(picks), w=WEIGHT, b0=BIAS)
    assert net.ops["MatMul"] == 5
    assert not {"Gather", "Slice", "Squeeze"} & set(net.ops)
    assert net.difference() < 1e-6


@pytest.mark.parametrize(("cut", "perm"), [("-1, 5, 2, 3, 4", "3, 0, 2, 1, 4"), ("-1, 5, 2, 4, 3", "4, 0, 2, 1, 3")])
def test_they_may_be_any_of_the_axes_that_were_cut(cut, perm):
    net = Rewritten(_attention(GATHERED, cut=cut, perm=perm), w=WEIGHT, b0=BIAS)
    assert net.ops["MatMul"] == 5
    assert net.difference() < 1e-6


def test_picks_along_the_tokens_are_no_projections():
    net = Rewritten(
        """net (float[N, 3, 8] x) => (float[N, 24] y) {
        p = MatMul (x, w) shape = Constant <value_ints = [-1, 3, 2, 12]> () r = Reshape (p, shape)
        i0 = Constant <value_int = 0> () i1 = Constant <value_int = 1> ()
        q = Gather <axis = 1> (r, i0) k = Gather <axis = 1> (r, i1) a = Add (q, k) y = Flatten (a) }""",
        w=WEIGHT,
    )
    assert net.ops["MatMul"] == 1
    assert net.difference() == 0


def test_a_product_that_is_used_whole_too_stays_whole():
    net = Rewritten(
        """net (float[N, 5, 8] x) => (float[N, 5, 12] y, float[N, 5, 2, 12] whole) {
        p = MatMul (x, w) shape = Constant <value_ints = [-1, 5, 2, 12]> () r = Reshape (p, shape) whole = Relu (r)
        i0 = Constant <value_int = 0> () i1 = Constant <value_int = 1> ()
        q = Gather <axis = 2> (r, i0) k = Gather <axis = 2> (r, i1) y = Add (q, k) }""",
        w=WEIGHT,
    )
    assert net.ops["MatMul"] == 1
    assert net.difference() == 0


@pytest.mark.parametrize("scale", ["n = Mul (m, f) s = Softmax (n)", "n = Div (m, f) s = Softmax (n)"])
def test_the_scale_of_attention_goes_into_the_queries_weights(scale):
    net = Rewritten(_attention(GATHERED, scale), w=WEIGHT, b0=BIAS, f=np.float32(0.3))
    assert not {"Mul", "Div"} & set(net.ops)
    assert net.difference() < 1e-5


def test_a_scale_goes_through_reshapes_into_a_convolution():
    net = Rewritten(
        """net (float[N, 3, 4, 4] x) => (float[N, 16, 6] y) {
        c = Conv (x, w, b0) shape = Constant <value_ints = [-1, 6, 16]> () r = Reshape (c, shape)
        t = Transpose <perm = [0, 2, 1]> (r) y = Mul (f, t) }""",
        w=RANDOM.standard_normal((6, 3, 1, 1)).astype(np.float32),
        b0=BIAS[:6],
        f=np.float32([0.25]),
    )
    assert "Mul" not in net.ops
    assert net.difference() < 1e-6


@pytest.mark.parametrize(
    "between", ["g = Relu (p) h = Relu (p) z = Mul (g, f)", "z0 = Mul (p, f) h = Relu (p) z = Relu (z0)"]
)
def test_a_layer_that_others_read_too_keeps_its_weights(between):
    net = Rewritten(
        f"net (float[N, 5, 8] x) => (float[N, 5, 24] y) {{ p = MatMul (x, w) {between} y = Sub (z, h) }}",
        w=WEIGHT,
        f=np.float32(0.3),
    )
    assert net.ops["Mul"] == 1
    assert net.difference() == 0


def test_a_weight_that_two_layers_share_is_scaled_for_one_of_them():
    net = Rewritten(
        """net (float[N, 5, 8] x) => (float[N, 5, 8] y) {
        p = MatMul (x, w) z = Mul (p, f) q = MatMul (z, w) y = Relu (q) }""",
        w=RANDOM.standard_normal((8, 8)).astype(np.float32),
        f=np.float32(0.3),
    )
    assert "Mul" not in net.ops
    assert net.difference() < 1e-6


def test_a_vector_of_factors_is_no_scale():
    net = Rewritten(
        "net (float[N, 5, 8] x) => (float[N, 5, 24] y) { p = MatMul (x, w) y = Mul (p, f) }", w=WEIGHT, f=BIAS
    )
    assert net.ops["Mul"] == 1


def test_single_columns_that_lose_their_axis_stay_picked():
    net = Rewritten(
        """net (float[N, 5, 8] x) => (float[N, 5] y) {
        p = MatMul (x, w) a = Constant <value_ints = [0]> () b = Constant <value_ints = [1]> ()
        c = Constant <value_ints = [2]> () last = Constant <value_ints = [2]> ()
        q0 = Slice (p, a, b, last) q = Squeeze (q0, last) k0 = Slice (p, b, c, last) k = Squeeze (k0, last)
        y = Mul (q, k) }""",
        w=WEIGHT,
    )
    assert net.ops["MatMul"] == 1
    assert net.difference() == 0
