from __future__ import annotations

import numpy as np
import pytest
from rewritten import Rewritten

RANDOM = np.random.default_rng(3)
SHUFFLE = 'DepthToSpace <blocksize = 2, mode = "CRD">'


def net(depth: int, body: str, outputs: str = "") -> Rewritten:
    weight = RANDOM.standard_normal((4 * depth, 3, 1, 1)).astype(np.float32)
    bias = RANDOM.standard_normal(4 * depth).astype(np.float32)
    text = f"net (float[N, 3, 4, 5] x) => (float[N, {depth}, 8, 10] y{outputs}) {{ {body} }}"
    return Rewritten(text, w=weight, b=bias)


@pytest.mark.parametrize(
    "body", [f"c = Conv(x, w, b) y = {SHUFFLE}(c)", f"c = Conv(x, w) r = Relu(c) y = {SHUFFLE}(r)"]
)
def test_the_convolution_gives_its_channels_in_order(body):
    case = net(5, body)
    assert case.attribute("DepthToSpace", "mode") == b"DCR"
    assert case.difference() < 1e-6


def test_one_channel_has_one_order_whoever_gives_it():
    case = net(1, f"c = Conv(x, w, b) s = Softmax <axis = 1> (c) y = {SHUFFLE}(s)")
    assert case.attribute("DepthToSpace", "mode") == b"DCR"
    assert case.difference() < 1e-6


def test_a_convolution_that_others_read_keeps_its_order():
    case = net(5, f"c = Conv(x, w, b) y = {SHUFFLE}(c) z = Exp(c)", outputs=", float[N, 20, 4, 5] z")
    assert case.attribute("DepthToSpace", "mode") == b"CRD"
    assert case.difference() < 1e-6
