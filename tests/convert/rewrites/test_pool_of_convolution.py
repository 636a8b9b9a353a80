from __future__ import annotations

import numpy as np
import pytest
from rewritten import Rewritten

STEM = "kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]"


def stem(between: str, pool: str = STEM, conv: str = STEM, size: int = 24) -> Rewritten:
    text = (
        f"net (float[N, 3, {size}, {size}] x) => (float[N, 4, h, w] y) "
        f"{{ c = Conv <{conv}> (x, weight, bias) {between} y = MaxPool <{pool}> (a) }}"
    )
    random = np.random.default_rng(0)
    weight, bias = random.standard_normal((4, 3, 3, 3)), random.standard_normal(4)
    return Rewritten(text, weight=weight.astype(np.float32), bias=bias.astype(np.float32))


@pytest.mark.parametrize(
    "between", ["a = Relu(c)", "a = Identity(c)", "b = LeakyRelu(c) a = Tanh(b)", "a = Neg(c)", "a = HardSwish(c)"]
)
def test_the_convolution_gives_the_row_that_makes_the_pool_pad_alike_on_both_sides(between):
    net = stem(between)
    if "Neg" in between:
        assert net.ops == {"Conv": 1, "Neg": 1, "Pad": 1, "MaxPool": 1}
    else:
        assert {op: net.ops[op] for op in ("Conv", "MaxPool", "Slice")} == {"Conv": 1, "MaxPool": 1, "Slice": 1}
        assert net.attribute("Conv", "pads") == [1, 1, 2, 2]
        assert net.attribute("MaxPool", "pads") == [1, 1, 1, 1]
    assert net.difference() < 1e-6


@pytest.mark.parametrize("size", [23, 24, 25, 26, 27])
@pytest.mark.parametrize("pool", [STEM, "kernel_shape = [5, 4], strides = [2, 3], pads = [2, 1, 2, 1]"])
@pytest.mark.parametrize("ceil", ["", ", ceil_mode = 1"])
def test_every_size_gives_the_same(size, pool, ceil):
    assert stem("a = Relu(c)", pool + ceil, size=size).difference() < 1e-6


def test_a_large_bias_does_not_show_in_the_border():
    """What the convolution computes beyond its input is its bias, which is seen by no window that stays."""
    nodes = f"c = Conv <{STEM}> (x, w, b) y = MaxPool <{STEM}> (c)"
    weight = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
    text = f"net (float[N, 3, 24, 24] x) => (float[N, 4, 6, 6] y) {{ {nodes} }}"
    net = Rewritten(text, w=weight, b=np.full(4, 1e3, np.float32))
    assert net.ops == {"Conv": 1, "MaxPool": 1, "Slice": 1}
    assert net.difference() < 1e-6


def test_a_convolution_that_others_read_stays():
    text = f"""net (float[N, 3, 24, 24] x) => (float[N, 4, 6, 6] y, float[N, 4, 12, 12] z) {{
        c = Conv <{STEM}> (x, w) a = Relu(c) z = Neg(a) y = MaxPool <{STEM}> (a) }}"""
    net = Rewritten(text, w=np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32))
    assert net.attribute("Conv", "pads") == [1, 1, 1, 1]
    assert net.ops["Pad"] == 1
    assert net.difference() == 0


def test_a_pool_that_pads_as_same_does_stays():
    net = stem("a = Relu(c)", "kernel_shape = [3, 3], strides = [1, 1], pads = [1, 1, 1, 1]")
    assert net.ops == {"Conv": 1, "Relu": 1, "MaxPool": 1}
    assert net.difference() == 0


def test_a_window_that_would_see_a_new_row_keeps_its_padding():
    """Even kernel, padding after: the last window holds padding, where a computed row would win."""
    net = stem("a = Relu(c)", "kernel_shape = [3, 3], strides = [3, 3], pads = [0, 0, 2, 2]", size=26)
    assert net.attribute("Conv", "pads") == [1, 1, 1, 1]
    assert net.difference() < 1e-6


@pytest.mark.parametrize(
    ("channels", "kernel", "widened"), [(3, 3, True), (9, 3, True), (16, 3, False), (64, 3, False), (8, 1, False)]
)
def test_new_rows_are_computed_where_that_is_less_work_than_a_padded_copy(channels, kernel, widened):
    text = f"""net (float[N, {channels}, 16, 16] x) => (float[N, 4, 8, 8] y) {{
        c = Conv <auto_pad = "NOTSET", pads = [{", ".join([str(kernel // 2)] * 4)}]> (x, w) a = Relu(c)
        y = MaxPool <{STEM}> (a) }}"""
    weight = np.random.default_rng(0).standard_normal((4, channels, kernel, kernel)).astype(np.float32)
    net = Rewritten(text, w=weight)
    assert net.ops == {"Conv": 1, "Relu": 1, "MaxPool": 1, ("Slice" if widened else "Pad"): 1}
    assert net.difference() < 1e-6
