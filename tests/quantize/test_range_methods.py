from __future__ import annotations

import numpy as np
import pytest

from quantize.calibration.effects import Effect
from quantize.calibration.histogram import Histogram
from quantize.calibration.method_names import RangeMethod, RangesOption
from quantize.calibration.methods.entropy import entropy_range
from quantize.calibration.methods.mse import CLIPPING_WEIGHT, mse_range
from quantize.calibration.methods.percentile import percentile_range
from quantize.calibration.ranges import ranges_by, with_whole_inputs
from quantize.calibration.statistics import Extremes, MovingAverage, Statistics

ONE = [Effect.IDENTITY]


def histogram_of(values: np.ndarray) -> Histogram:
    histogram = Histogram()
    histogram.add(values.astype(np.float32), float(np.abs(values).max()))
    return histogram


def error(values: np.ndarray, low: float, high: float, effect: Effect = Effect.IDENTITY) -> float:
    """Mean squared error of int8 with that range after the effect, by doing it."""
    scale = (high - low) / 255
    zero_point = np.rint(-128 - low / scale)
    stored = np.clip(np.rint(values / scale) + zero_point, -128, 127)
    weights = np.where((values < low) | (values > high), CLIPPING_WEIGHT, 1.0)
    return float(np.mean(weights * (effect.values(values) - effect.values((stored - zero_point) * scale)) ** 2))


RANDOM = np.random.default_rng(0)
FROM_STATISTICS = [each for each in RangeMethod if each not in {RangeMethod.AVERAGE, RangeMethod.GIVEN}]
DISTRIBUTIONS = {
    "normal": RANDOM.normal(size=20_000),
    "laplace": RANDOM.laplace(size=20_000),
    "relu": np.maximum(RANDOM.normal(size=20_000), 0),
    "silu tail": RANDOM.laplace(size=20_000) / (1 + np.exp(-3 * RANDOM.laplace(size=20_000))),
    "outlier": np.append(RANDOM.normal(size=20_000), 60.0),
}


@pytest.mark.parametrize("values", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_mse_finds_the_range_that_a_search_by_doing_finds(values):
    found = mse_range(histogram_of(values), values.min(), values.max())
    fractions = 2.0 ** (-np.arange(0, 5, 0.25))
    ends = [(min(values.min(), 0) * low, values.max() * high) for low in fractions for high in fractions]
    assert error(values, *found) <= 1.1 * min(error(values, *pair) for pair in ends)


@pytest.mark.parametrize("effect", [each for each in Effect if each not in {Effect.IDENTITY, Effect.NORMALISER}])
def test_mse_through_an_activation_finds_what_a_search_by_doing_finds(effect):
    values = 3 * RANDOM.normal(size=20_000)
    found = mse_range(histogram_of(values), values.min(), values.max(), effect)
    fractions = np.append(2.0 ** (-np.arange(0, 5, 0.25)), 0.0)
    ends = [(values.min() * low, values.max() * high) for low in fractions for high in fractions if low or high]
    best = min(error(values, *pair, effect) for pair in ends)
    assert error(values, *found, effect) <= 1.1 * best + 1e-9


def test_small_variances_are_told_apart_though_large_ones_are_clipped():
    values = np.exp(1.5 * RANDOM.normal(size=20_000))
    _, plain = mse_range(histogram_of(values), values.min(), values.max())
    _, relative = mse_range(histogram_of(values), values.min(), values.max(), Effect.NORMALISER)
    assert relative < plain
    assert error(values, 0, relative, Effect.NORMALISER) < error(values, 0, plain, Effect.NORMALISER)


def test_what_hard_swish_turns_to_zero_needs_no_range():
    values = 5 * RANDOM.normal(size=20_000)
    low, high = mse_range(histogram_of(values), values.min(), values.max(), Effect.HARD_SWISH)
    assert -3.3 < low < -2.7
    assert high > 0.8 * values.max()


def test_mse_keeps_what_is_evenly_spread():
    values = RANDOM.uniform(-1, 3, 100_000)
    low, high = mse_range(histogram_of(values), values.min(), values.max())
    assert low == pytest.approx(-1, rel=0.05)
    assert high == pytest.approx(3, rel=0.05)


def test_percentile_leaves_out_its_share_on_either_side():
    values = np.linspace(-1, 2, 30_001)
    low, high = percentile_range(histogram_of(values), kept=0.99)
    assert low == pytest.approx(np.quantile(values, 0.01), abs=0.003)
    assert high == pytest.approx(np.quantile(values, 0.99), abs=0.003)


def test_percentile_of_values_of_one_sign_begins_at_zero():
    low, high = percentile_range(histogram_of(np.linspace(1, 2, 1000)), kept=0.99)
    assert low == 0
    assert high == pytest.approx(1.99, abs=0.003)


def test_entropy_cuts_a_long_thin_tail_and_keeps_a_full_one():
    body = RANDOM.normal(size=100_000)
    tailed = np.append(body, 100.0)
    assert entropy_range(histogram_of(tailed), tailed.min(), tailed.max())[1] < 50
    even = RANDOM.uniform(0, 1, 100_000)
    assert entropy_range(histogram_of(even), 0.0, even.max())[1] == pytest.approx(1, rel=0.1)


def statistics_of(*samples: np.ndarray) -> Statistics:
    statistics = Statistics(1)
    for values in (sample.astype(np.float32) for sample in samples):
        statistics.add(Extremes(values.min(keepdims=True), values.max(keepdims=True)), [values])
    return statistics


def test_minmax_is_everything_seen_and_mean_the_samples_mean():
    seen = statistics_of(np.array([-1.0, 2.0]), np.array([-3.0, 1.0]))
    assert ranges_by(RangeMethod.MINMAX, seen, ONE) == Extremes(np.float32([-3]), np.float32([2]))
    assert ranges_by(RangeMethod.MEAN, seen, ONE) == Extremes(np.float32([-2]), np.float32([1.5]))


@pytest.mark.parametrize("method", FROM_STATISTICS)
def test_no_range_goes_beyond_what_was_seen_nor_depends_on_order(method):
    samples = [RANDOM.laplace(scale=scale, size=3000) for scale in (0.1, 30, 1, 2, 5)]
    seen = statistics_of(*samples)
    found = ranges_by(method, seen, ONE)
    assert found.low >= seen.widest.low
    assert found.high <= seen.widest.high
    assert found.low < 0 < found.high
    assert ranges_by(method, statistics_of(*samples[::-1]), ONE) == found


@pytest.mark.parametrize("method", FROM_STATISTICS)
@pytest.mark.parametrize("value", [0.0, 3.0, -2.0])
def test_a_constant_tensor_has_a_range(method, value):
    found = ranges_by(method, statistics_of(np.full(100, value)), ONE)
    assert min(float(found.low[0]), 0) <= value <= max(float(found.high[0]), 0)


def test_an_input_keeps_its_whole_range_unless_most_of_it_is_an_outliers():
    widest = Extremes(np.float32([0, 0, -1]), np.float32([1, 1, 1]))
    found = Extremes(np.float32([0, 0, -0.9]), np.float32([0.9, 0.3, 0.9]))
    whole = with_whole_inputs(found, widest, inputs=[0, 1])
    np.testing.assert_array_equal(whole.low, np.float32([0, 0, -0.9]))
    np.testing.assert_array_equal(whole.high, np.float32([1, 0.3, 0.9]))


def test_the_average_is_the_librarys_own_to_the_last_bit():
    from ai_edge_quantizer.utils.calibration_utils import moving_average_update

    random = np.random.default_rng(0)
    ours, theirs = MovingAverage(), {}
    for low, high in zip(-random.random(20), random.random(20), strict=True):
        seen = Extremes(np.float32([low]), np.float32([high]))
        ours.add(seen)
        theirs = moving_average_update(theirs, {"min": seen.low, "max": seen.high})
    assert (ours.extremes.low, ours.extremes.high) == (theirs["min"], theirs["max"])
    assert ours.extremes.low.dtype == np.float32


def test_every_method_can_be_asked_for():
    assert {option.method for option in RangesOption} | {RangeMethod.GIVEN} == {None, *RangeMethod}
