from __future__ import annotations

import numpy as np
import pytest
from rewritten import Rewritten

FEW_ROUNDINGS = 1e-6
CHANNELS = 6


def net(
    kernel: int, *, length: int = 5, group: int = 1, rank: int = 2, after: str = "", **attributes: int
) -> Rewritten:
    """A ConvTranspose of ``rank`` like axes, and what comes after it; ``attributes`` hold for every axis."""
    random = np.random.default_rng(kernel + 10 * rank)
    weight = random.standard_normal((CHANNELS, CHANNELS // group, *(kernel,) * rank)).astype(np.float32)
    bias = random.standard_normal(CHANNELS).astype(np.float32)
    stride, pad, more = (attributes.get(name, start) for name, start in (("stride", 1), ("pad", 0), ("more", 0)))
    each = {"strides": [stride] * rank, "pads": [pad] * 2 * rank, "output_padding": [more] * rank, "group": group}
    written = ", ".join(f"{name} = {value}" for name, value in each.items())
    dims, wanted = (", ".join([str(size)] * rank) for size in (length, (length - 1) * stride + kernel - 2 * pad + more))
    text = f"net (float[N, {CHANNELS}, {dims}] x) => (float[N, {CHANNELS}, {wanted}] y) "
    body = f"t = ConvTranspose <{written}> (x, w, b) y = {after or 'Identity'}(t)"
    return Rewritten(f"{text} {{ {body} }}", w=weight, b=bias)


@pytest.mark.parametrize(
    ("kernel", "how"),
    [
        (2, {"stride": 2}),
        (4, {"stride": 2, "pad": 1}),
        (3, {"stride": 2, "pad": 1, "more": 1}),
        (3, {"stride": 2, "pad": 1}),
        (5, {"stride": 3, "pad": 1}),
        (5, {"stride": 2, "pad": 4, "more": 1}),
        (16, {"stride": 8, "pad": 4}),
        (2, {"stride": 3}),
        (3, {"stride": 1, "pad": 1}),
        (4, {"stride": 1, "length": 1}),
    ],
)
@pytest.mark.parametrize("group", [1, 2, CHANNELS])
@pytest.mark.parametrize("rank", [1, 2])
def test_phases_of_a_convolution_are_the_transposed_one(kernel, how, group, rank):
    case = net(kernel, group=group, rank=rank, **how)
    assert case.ops["Conv"] == 1
    assert "ConvTranspose" not in case.ops
    assert case.difference() < FEW_ROUNDINGS


def test_a_kernel_of_the_strides_size_is_computed_as_it_was():
    case = net(2, stride=2)
    assert case.ops == {"Conv": 1, "DepthToSpace": 1, "Identity": 1}
    assert case.difference() == 0


def test_the_phases_of_one_pixel_are_its_whole_window():
    case = net(4, length=1)
    assert case.attribute("DepthToSpace", "blocksize") == 4
    assert case.attribute("Conv", "pads") == [0, 0, 0, 0]


def test_no_more_taps_are_computed_than_the_kernel_has():
    dims = [list(entry.dims) for entry in net(4, stride=2, pad=1).after.graph.initializer]
    assert [4 * CHANNELS, CHANNELS, 2, 2] in dims


def test_a_relu_stays_with_the_convolution():
    case = net(2, stride=2, after="Relu")
    assert [node.op_type for node in case.after.graph.node] == ["Conv", "Relu", "DepthToSpace"]
    assert case.difference() == 0


def test_a_function_that_no_convolution_does_comes_after_the_cut():
    case = net(4, stride=2, pad=1, after="Tanh")
    assert [node.op_type for node in case.after.graph.node] == ["Conv", "DepthToSpace", "Slice", "Tanh"]


@pytest.mark.parametrize(
    ("attributes", "shape"),
    [
        ("strides = [2, 1]", "N, 6, 5, 5"),
        ("dilations = [2, 2]", "N, 6, 5, 5"),
        ("strides = [2, 2], output_shape = [9, 9]", "N, 6, 5, 5"),
        ("strides = [2, 2]", "1, 6, 5, 5"),
    ],
)
def test_what_has_no_like_phases_or_a_constant_shape_stays(attributes, shape):
    weight = np.random.default_rng(0).standard_normal((6, 4, 2, 2)).astype(np.float32)
    text = f"net (float[{shape}] x) => (float[N, 4, h, v] y) {{ y = ConvTranspose <{attributes}> (x, w) }}"
    assert Rewritten(text, w=weight).ops == {"ConvTranspose": 1}


def test_weights_that_two_read_stay_for_the_other():
    weight = np.random.default_rng(0).standard_normal((6, 6, 2, 2)).astype(np.float32)
    body = "a = ConvTranspose <strides = [2, 2]> (x, w) b = Conv <strides = [2, 2]> (a, w) y = Add(b, x)"
    case = Rewritten(f"net (float[N, 6, 5, 5] x) => (float[N, 6, 5, 5] y) {{ {body} }}", w=weight)
    assert case.ops == {"Conv": 2, "DepthToSpace": 1, "Add": 1}
    assert case.difference() < FEW_ROUNDINGS
