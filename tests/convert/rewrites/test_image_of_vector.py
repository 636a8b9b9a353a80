from __future__ import annotations

import numpy as np
import pytest
from rewritten import Rewritten


def net(
    body: str, reader: str = "MaxPool <kernel_shape = [1, 2], pads = [0, 0, 0, 1]> (i)", **shapes: tuple[int, ...]
) -> Rewritten:
    random = np.random.default_rng(0)
    weights = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    text = f"""net (float[N, 5] x) => (float[N, 3, 4, 2] y)
        {{ image = Constant <value_ints = [-1, 3, 4, 2]> () {body}
        y = {reader} }}"""
    return Rewritten(text, **weights)


@pytest.mark.parametrize(
    "dense",
    [
        "a = Gemm(x, w, b)",
        "a = Gemm <transB = 1> (x, v, b)",
        "a = Gemm <transB = 1> (x, v)",
        "a = MatMul(x, w)",
        "c = MatMul(x, w) a = Add(c, b)",
    ],
)
@pytest.mark.parametrize("between", ["i = Reshape(a, image)", "r = Relu(a) t = Tanh(r) i = Reshape(t, image)"])
def test_the_layer_gives_its_outputs_as_the_image_is_stored(dense, between):
    case = net(f"{dense} {between}", w=(5, 24), v=(24, 5), b=(24,))
    assert case.ops["Transpose"] == 1
    assert case.attribute("Transpose", "perm") == [0, 3, 1, 2]
    assert case.difference() < 1e-6


@pytest.mark.parametrize(
    "body",
    [
        "a = Gemm(x, w, b) t = Tanh(a) s = Softmax(t) i = Reshape(s, image)",
        "a = Gemm(x, w, one) i = Reshape(a, image)",
        "c = MatMul(x, w) d = Softmax(c) a = Add(d, b) i = Reshape(a, image)",
        "a = Gemm(x, w, b) s = Softmax(a) m = Reshape(s, image) n = Reshape(a, image) i = Add(m, n)",
    ],
    ids=["a_softmax", "a_bias_of_one_number", "a_bias_of_no_layer", "another_reader"],
)
def test_an_order_that_something_else_sees_stays(body):
    case = net(body, w=(5, 24), b=(24,), one=(1,))
    assert "image_of_vector" not in {note.rewrite for note in case.notes}
    assert case.difference() < 1e-6


@pytest.mark.parametrize("reader", ["Neg(i)", "Softmax(i)"])
def test_an_image_that_no_spatial_op_reads_stays(reader):
    """It may be read as it is stored; a transpose that was not there would be worse."""
    case = net("a = Gemm(x, w, b) i = Reshape(a, image)", reader, w=(5, 24), b=(24,))
    assert "Transpose" not in case.ops
    assert case.difference() == 0
