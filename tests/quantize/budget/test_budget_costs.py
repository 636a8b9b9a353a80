"""What ops in float cost, on a graph drawn by hand: conv → pool → conv → sigmoid."""

from __future__ import annotations

import pytest

from quantize.budget.cost import Costs
from quantize.budget.graph import Op, OpGraph
from quantize.budget.sensitivity import Sensitivities, Unit, by_worth

OPS = (
    Op(0, "CONV_2D", "a", (0,), (1,), macs=9000, weights=90, elements=100, quantizable=True),
    Op(1, "MAX_POOL_2D", "b", (1,), (2,), macs=0, weights=0, elements=25, quantizable=True),
    Op(2, "CONV_2D", "c", (2,), (3,), macs=1000, weights=10, elements=25, quantizable=True),
    Op(3, "LOGISTIC", "d", (3,), (4,), macs=0, weights=0, elements=25, quantizable=True),
)
GRAPH = OpGraph(OPS, {0: 100, 1: 100, 2: 25, 3: 25, 4: 25}, frozenset({0, 4}))
COSTS = Costs(GRAPH)


def test_the_share_of_multiplications_in_int8_is_counted():
    assert COSTS.int8_macs(()) == 1.0
    assert COSTS.int8_macs({2, 3}) == 0.9
    assert COSTS.int8_macs({0, 2}) == 0.0


def test_an_op_without_a_rule_is_float_in_every_set():
    forced = Op(0, "CONV_2D", "a", (0,), (1,), macs=9000, weights=90, elements=100, quantizable=False)
    assert Costs(OpGraph((forced, *OPS[1:]), GRAPH.sizes)).int8_macs(()) == 0.1


@pytest.mark.parametrize("lifted", [(), {0}, {0, 2}, {2, 3}, {1}])
def test_one_more_op_costs_the_difference(lifted):
    for op in set(range(4)) - set(lifted):
        assert COSTS.change(lifted, op) == pytest.approx(COSTS.of({*lifted, op}) - COSTS.of(lifted))


def test_what_lies_between_float_ops_is_lifted_with_them_where_casts_cost_more():
    assert COSTS.closed({0, 2}) == {0, 1, 2}
    assert COSTS.closed({0}) == {0, 1}  # a quarter of the numbers is cast after the pool
    assert COSTS.closed(()) == frozenset()


def test_what_only_a_slow_int8_kernel_computes_is_lifted_at_once():
    slow = Op(3, "HARD_SWISH", "d", (3,), (4,), macs=0, weights=0, elements=25, quantizable=True)
    costs = Costs(OpGraph((*OPS[:3], slow), GRAPH.sizes, GRAPH.edges))
    assert costs.closed(()) == {3}
    assert costs.of({3}) < costs.of(()) == 1.0


def test_noise_adds_up_to_a_prediction():
    noise = Sensitivities((Unit((0,), 0.009), Unit((2, 3), 0.0009)), edges_noise=0.0001)
    assert noise.predicted_db(()) == pytest.approx(20.0)
    assert noise.predicted_db({0}) == pytest.approx(30.0)
    assert noise.predicted_db({0, 2}) == pytest.approx(30.0)
    assert noise.predicted_db({0, 1, 2, 3}) == pytest.approx(noise.edges_db) == pytest.approx(40.0)


def test_most_noise_for_least_cost_goes_first():
    order = by_worth((Unit((0,), 1.0), Unit((2,), 0.9), Unit((3,), 0.8)), COSTS)
    assert [unit.ops for unit in order] == [(3,), (2,), (0,)]
