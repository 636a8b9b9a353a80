from __future__ import annotations

import pytest
from rewritten import Rewritten

GROUPS = """shape = Constant <value_ints = [0, {groups}, -1]> () a = Reshape(x, shape)
    one = Constant <value_floats = [{ones}]> () zero = Constant <value_floats = [{zeros}]> ()
    b = InstanceNormalization <epsilon = 1e-3> (a, one, zero)"""


def _net(groups: int, back: str, *, ones: str = "1.0", output: str = "float[N, 6, 4, 5] y") -> Rewritten:
    body = GROUPS.format(groups=groups, ones=", ".join([ones] * groups), zeros=", ".join(["0.0"] * groups))
    return Rewritten(f"net (float[N, 6, 4, 5] x) => ({output}) {{ {body} {back} }}")


BACK = "s = Shape(x) y = Reshape(b, s)"


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_groups_between_two_reshapes_are_normalised_where_they_lie(groups):
    net = _net(groups, BACK)
    assert net.ops["GroupNormalization"] == 1
    assert "InstanceNormalization" not in net.ops
    assert "Reshape" not in net.ops
    assert net.difference() < 1e-6


def test_a_group_norm_that_scales_its_groups_stays():
    net = _net(2, BACK, ones="2.0")
    assert net.ops["InstanceNormalization"] == 1
    assert net.difference() == 0


def test_another_shape_afterwards_stays():
    net = _net(2, "s = Constant <value_ints = [0, 6, 5, 4]> () y = Reshape(b, s)", output="float[N, 6, 5, 4] y")
    assert net.ops["InstanceNormalization"] == 1
    assert net.difference() == 0
