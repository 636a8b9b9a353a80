from __future__ import annotations

import numpy as np
import pytest
from rewritten import Rewritten


def test_a_pool_of_single_elements_disappears():
    net = Rewritten(
        """net (float[N, 3, 4, 4] x) => (float[N, 3, 4, 4] y)
        { a = Relu(x) b = AveragePool <kernel_shape = [1, 1]> (a) y = Neg(b) }"""
    )
    assert net.ops == {"Relu": 1, "Neg": 1}
    assert net.difference() == 0


def test_outputs_keep_their_names_when_their_node_disappears():
    net = Rewritten(
        "net (float[N, 3, 4, 4] x) => (float[N, 3, 4, 4] y) { a = Relu(x) y = MaxPool <kernel_shape = [1, 1]> (a) }"
    )
    assert net.ops == {"Relu": 1}
    assert [output.name for output in net.after.graph.output] == ["y"]
    assert net.difference() == 0


def test_a_net_that_is_only_an_identity_pool_keeps_it():
    net = Rewritten("net (float[N, 3, 4, 4] x) => (float[N, 3, 4, 4] y) { y = MaxPool <kernel_shape = [1, 1]> (x) }")
    assert net.ops == {"MaxPool": 1}
    assert [note.applied for note in net.notes] == [False]


@pytest.mark.parametrize(
    "mean",
    ["b = GlobalAveragePool(a)", "axes = Constant <value_ints = [-1, -2]> () b = ReduceMean <keepdims = 1> (a, axes)"],
)
@pytest.mark.parametrize("flatten", ["y = Flatten(b)", "s = Constant <value_ints = [-1, 6]> () y = Reshape(b, s)"])
def test_a_mean_that_is_flattened_drops_its_axes_itself(mean, flatten):
    net = Rewritten(f"net (float[N, 6, 4, 5] x) => (float[N, 6] y) {{ a = Relu(x) {mean} {flatten} }}")
    assert {op: count for op, count in net.ops.items() if op != "Constant"} == {"Relu": 1, "ReduceMean": 1}
    assert net.difference() < 1e-6


def test_a_mean_over_one_axis_keeps_its_reshape():
    net = Rewritten(
        """net (float[N, 6, 4, 5] x) => (float[N, 30] y)
        { axes = Constant <value_ints = [2]> () a = ReduceMean <keepdims = 1> (x, axes) y = Flatten(a) }"""
    )
    assert net.ops["Flatten"] == 1
    assert net.difference() == 0


def test_shape_arithmetic_around_the_batch_becomes_a_constant_shape():
    net = Rewritten(
        """net (float[N, 6, 4, 5] x) => (float[N, 120] y) {
        s = Shape(x) zero = Constant <value_ints = [0]> () n = Gather <axis = 0> (s, zero)
        rest = Constant <value_ints = [-1]> () target = Concat <axis = 0> (n, rest) y = Reshape(x, target) }"""
    )
    assert net.ops == {"Reshape": 1}
    assert net.difference() == 0


def test_a_reshape_with_two_dynamic_sizes_is_declined():
    net = Rewritten(
        """net (float[N, 6, L] x) => (float[a, b] y) {
        s = Shape(x) two = Constant <value_ints = [2]> () l = Gather <axis = 0> (s, two)
        rest = Constant <value_ints = [-1]> () target = Concat <axis = 0> (rest, l) y = Reshape(x, target) }"""
    )
    assert net.ops["Shape"] == 1
    assert [(note.applied, note.reason) for note in net.notes] == [
        (False, "2 of its output's sizes are dynamic; one may be")
    ]


def test_the_oracle_notices_a_change():
    net = Rewritten("net (float[N, 6] x) => (float[N, 6] y) { y = Relu(x) }")
    net.after.graph.node[0].op_type = "Abs"
    assert net.difference() > 0.1
    assert np.isfinite(net.difference())


def test_a_reshape_to_the_shape_of_another_value_has_its_sizes():
    net = Rewritten(
        """net (float[N, 6, 20] x, float[N, 6, 4, 5] like) => (float[M, A, B, C] y, float[N, 6, 4, 5] z) {
        z = Neg(like) s = Shape(like) y = Reshape(x, s) }"""
    )
    assert net.ops == {"Reshape": 1, "Neg": 1}
    assert net.difference() == 0
