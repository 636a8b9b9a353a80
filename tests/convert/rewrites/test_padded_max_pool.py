from __future__ import annotations

import pytest
from rewritten import Rewritten

RESNET = "kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]"


def pool(attributes: str, before: str = "a = Identity(x)", size: int = 12, opset: int = 20) -> Rewritten:
    text = (
        f"net (float[N, 4, {size}, {size}] x) => (float[N, 4, h, w] y) {{ {before}\n y = MaxPool <{attributes}> (a) }}"
    )
    return Rewritten(text, opset=opset)


def test_after_relu_the_padding_is_zeros():
    net = pool(RESNET, "a = Relu(x)")
    assert net.ops == {"Relu": 1, "Pad": 1, "MaxPool": 1}
    assert (net.attribute("Pad", "mode"), net.attribute("MaxPool", "pads")) == (b"constant", [0, 0, 0, 0])
    assert net.difference() == 0
    assert [note.reason for note in net.notes] == ["padding (1, 0), (1, 0) with 0, which no input is below"]


def test_padding_that_no_window_reaches_is_left_out():
    net = pool(RESNET, "a = Relu(x)")
    padded = next(entry for entry in net.after.graph.value_info if entry.name == "y.padded")
    assert [dim.dim_value for dim in padded.type.tensor_type.shape.dim][2:] == [13, 13]


@pytest.mark.parametrize(
    ("before", "bound"),
    [
        ("b = Sigmoid(x) a = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (b)", "0"),
        ("b = Relu(x) c = Sigmoid(x) d = Concat <axis = 1> (b, c) a, e = Split <axis = 1, num_outputs = 2> (d)", "0"),
        ("lo = Constant <value_float = 0.5> () a = Clip(x, lo)", "0.5"),
        ("s = Sigmoid(x) a = Mul(x, s)", "-0.2785"),
        ("a = HardSwish(x)", "-0.3751"),
        ("b = Relu(x) c = Abs(x) d = Add(b, c) a = MaxPool <kernel_shape = [3, 3]> (d)", "0"),
        ("b = Tanh(x) c = Relu(x) a = Max(b, c)", "0"),
        ("a = Mul(x, x)", "0"),
    ],
)
def test_a_proven_lower_bound_is_what_pads(before, bound):
    net = pool(RESNET, before)
    assert net.ops["Pad"] == 1
    assert f"with {bound}, which no input is below" in net.notes[-1].reason
    assert net.difference() == 0


def test_an_input_that_may_be_negative_is_mirrored():
    net = pool(RESNET)
    assert net.attribute("Pad", "mode") == b"reflect"
    assert net.difference() == 0


def test_a_mirrored_maximum_is_right_where_everything_is_negative():
    net = pool(RESNET, "b = Relu(x) c = Neg(b) d = Constant <value_float = 1.0> () a = Sub(c, d)")
    assert net.attribute("Pad", "mode") == b"reflect"
    assert net.difference() == 0


def test_a_kernel_of_two_repeats_the_edge():
    net = pool("kernel_shape = [2, 2], strides = [2, 2], pads = [1, 1, 1, 1]")
    assert net.attribute("Pad", "mode") == b"edge"
    assert net.difference() == 0


def test_padding_that_is_same_stays_in_the_pool():
    net = pool("kernel_shape = [3, 3], pads = [1, 1, 1, 1], ceil_mode = 1")
    assert net.ops == {"Identity": 1, "MaxPool": 1}
    assert (net.attribute("MaxPool", "pads"), net.attribute("MaxPool", "ceil_mode")) == ([1, 1, 1, 1], None)
    assert net.difference() == 0


@pytest.mark.parametrize("size", [11, 12, 13, 14, 15])
@pytest.mark.parametrize("before", ["a = Relu(x)", "a = Identity(x)"])
@pytest.mark.parametrize(
    "window",
    [
        "kernel_shape = [3, 3], strides = [2, 2]",
        "kernel_shape = [2, 2], strides = [2, 2]",
        "kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]",
        "kernel_shape = [5, 3], strides = [3, 2], pads = [2, 0, 1, 1]",
    ],
)
def test_ceil_mode_becomes_the_padding_it_means(window, before, size):
    net = pool(f"{window}, ceil_mode = 1", before, size)
    assert net.attribute("MaxPool", "ceil_mode") is None
    assert net.difference() == 0


def test_a_dilated_pool_after_relu_is_padded_with_zeros():
    net = pool("kernel_shape = [3, 3], dilations = [2, 2], strides = [2, 2], pads = [2, 2, 2, 2]", "a = Relu(x)")
    assert net.attribute("Pad", "mode") == b"constant"
    assert net.difference() == 0


def test_a_dynamic_size_is_padded_as_declared():
    text = f"net (float[N, 4, h, w] x) => (float[N, 4, i, j] y) {{ a = Relu(x) y = MaxPool <{RESNET}> (a) }}"
    net = Rewritten(text)
    assert net.ops["Pad"] == 1
    assert "padding (1, 1), (1, 1) with 0" in net.notes[0].reason


@pytest.mark.parametrize("dims", [1, 3])
def test_one_and_three_dimensional_pools_too(dims):
    shape = ", ".join(["8"] * dims)
    ones = ", ".join(["1"] * (2 * dims))
    window = f"kernel_shape = [{', '.join(['3'] * dims)}], strides = [{', '.join(['2'] * dims)}], pads = [{ones}]"
    out = ", ".join("hwd"[:dims])
    net = Rewritten(
        f"net (float[N, 4, {shape}] x) => (float[N, 4, {out}] y) {{ a = Relu(x) y = MaxPool <{window}> (a) }}"
    )
    assert net.ops == {"Relu": 1, "Pad": 1, "MaxPool": 1}
    assert net.difference() == 0


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ("kernel_shape = [4, 4], strides = [3, 3], pads = [2, 2, 2, 2]", "the input may be negative"),
        ("kernel_shape = [3, 3], dilations = [2, 2], strides = [2, 2], pads = [2, 2, 2, 2]", "may be negative"),
    ],
)
def test_what_cannot_be_padded_exactly_is_declined_with_the_reason(attributes, reason):
    net = pool(attributes, size=14)
    assert net.ops == {"Identity": 1, "MaxPool": 1}
    assert [(note.applied, reason in note.reason) for note in net.notes] == [(False, True)]
    assert net.difference() == 0


def test_an_opset_without_pad_inputs_is_declined():
    net = pool(RESNET, "a = Relu(x)", opset=10)
    assert "export at opset 11" in net.notes[0].reason
    assert net.difference() == 0
