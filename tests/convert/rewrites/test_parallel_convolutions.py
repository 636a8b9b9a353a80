from __future__ import annotations

import numpy as np
import pytest
from rewritten import Rewritten

PADDED = "kernel_shape = [3, 3], pads = [1, 1, 1, 1]"
NORM = ("scale", "shift", "mean", "var")


def net(body: str, channels: int = 6, size: str = "10", **shapes: tuple[int, ...]) -> Rewritten:
    random = np.random.default_rng(0)
    weights = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    weights |= {name: random.uniform(0.5, 1.5, channels).astype(np.float32) for name in NORM if name in body}
    text = f"net (float[N, {channels}, 10, 10] x) => (float[N, {channels}, {size}, {size}] y) {{ {body} }}"
    return Rewritten(text, **weights)


def test_a_pointwise_branch_becomes_the_middle_of_the_larger_kernel():
    case = net(
        f"a = Conv <{PADDED}> (x, w, b) c = Conv (x, v, d) y = Add(c, a)",
        w=(6, 6, 3, 3),
        b=(6,),
        v=(6, 6, 1, 1),
        d=(6,),
    )
    assert case.ops == {"Conv": 1}
    assert case.difference() < 1e-5


def test_a_repvgg_block_is_one_convolution():
    body = f"""r = Relu(x) a = Conv <{PADDED}> (r, w) c = Conv (r, v)
        n = BatchNormalization (r, scale, shift, mean, var) s = Add(a, c) t = Add(s, n) y = Relu(t)"""
    case = net(body, w=(6, 6, 3, 3), v=(6, 6, 1, 1))
    assert case.ops == {"Relu": 2, "Conv": 1}
    assert case.difference() < 1e-5


@pytest.mark.parametrize(("group", "width"), [(6, 1), (2, 3), (1, 6)])
def test_an_identity_is_added_in_every_group(group, width):
    body = f"a = Conv <{PADDED}, group = {group}> (x, w) y = Add(x, a)"
    case = net(body, w=(6, width, 3, 3))
    assert case.ops == {"Conv": 1}
    assert case.difference() < 1e-5


def test_branches_normed_before_and_after_their_sum_fold_whole():
    """RepViT: the batch norm after the sum folds too, once the sum is a convolution."""
    body = f"""a = Conv <{PADDED}, group = 6> (x, w) n = BatchNormalization (a, scale, shift, mean, var)
        c = Conv <group = 6> (x, v) s = Add(n, c) t = Add(s, x) y = BatchNormalization (t, scale, shift, mean, var)"""
    case = net(body, w=(6, 1, 3, 3), v=(6, 1, 1, 1))
    assert case.ops == {"Conv": 1}
    assert all(note.applied for note in case.notes)
    assert case.difference() < 1e-5


def test_strided_branches_merge_where_their_kernels_see_the_same_positions():
    body = f"a = Conv <{PADDED}, strides = [2, 2]> (x, w) c = Conv <strides = [2, 2]> (x, v) y = Add(a, c)"
    case = net(body, size="5", w=(6, 6, 3, 3), v=(6, 6, 1, 1))
    assert case.ops == {"Conv": 1}
    assert case.difference() < 1e-5


def test_an_oblong_kernel_lies_where_its_padding_puts_it():
    body = """a = Conv <kernel_shape = [5, 5], pads = [2, 2, 2, 2]> (x, w)
        c = Conv <kernel_shape = [3, 1], pads = [0, 0, 2, 0]> (x, v) y = Add(a, c)"""
    case = net(body, w=(6, 6, 5, 5), v=(6, 6, 3, 1))
    assert case.ops == {"Conv": 1}
    assert case.difference() < 1e-5


@pytest.mark.parametrize(
    "body",
    [
        "a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w) r = Relu(x) y = Add(a, r)",
        "a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w) r = Tanh(a) s = Add(a, x) y = Add(r, s)",
        "a = Conv <kernel_shape = [3, 3], pads = [2, 2, 2, 2], dilations = [2, 2]> (x, w) y = Add(a, x)",
        "a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w) r = Relu(x) c = Conv(r, v) y = Add(a, c)",
        "a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w) c = Conv <group = 6> (x, d) y = Add(a, c)",
    ],
    ids=["another_input", "another_reader", "dilated", "a_convolution_of_another_input", "other_groups"],
)
def test_what_is_no_sum_of_one_input_stays(body):
    case = net(body, w=(6, 6, 3, 3), v=(6, 6, 1, 1), d=(6, 1, 1, 1))
    assert "parallel_convolutions" not in {note.rewrite for note in case.notes}
    assert case.difference() < 1e-6


def test_a_sum_that_broadcasts_is_none():
    """One row of the input, at every row."""
    text = """net (float[N, 2, 1, 4] x) => (float[N, 2, 3, 4] y)
        { a = Conv <kernel_shape = [3, 3], pads = [2, 1, 2, 1]> (x, w) y = Add(a, x) }"""
    case = Rewritten(text, w=np.random.default_rng(0).standard_normal((2, 2, 3, 3)).astype(np.float32))
    assert case.ops == {"Conv": 1, "Add": 1}
    assert case.difference() < 1e-6
