"""Metrics: the identities they must obey, and that nothing non-finite is ever dropped."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from verify.metrics import ErrorSums, cosine, error_sums, max_ulp, sqnr_db

VALUES = arrays.arrays(
    np.float32, (4, 6), elements=st.floats(-1e4, 1e4, width=32).filter(lambda v: v == 0 or abs(v) > 1e-4)
)


def test_sqnr_of_a_known_error():
    expected = np.full((10, 10), 2.0, np.float32)
    assert sqnr_db(expected, expected + np.float32(0.02)) == pytest.approx(40, abs=1e-3)


def test_sqnr_is_undefined_without_error_or_signal():
    ones, zeros = np.ones(4, np.float32), np.zeros(4, np.float32)
    assert sqnr_db(ones, ones) is None
    assert sqnr_db(zeros, ones) is None


@settings(max_examples=40, deadline=None)
@given(VALUES, VALUES, st.sampled_from([0.25, 2.0, 64.0]))
def test_sqnr_does_not_depend_on_scale(expected, noise, scale):
    """Powers of two scale exactly."""
    actual = expected + noise
    scale = np.float32(scale)
    before = sqnr_db(expected, actual)
    assume(before is not None)
    assert sqnr_db(expected * scale, actual * scale) == pytest.approx(before, rel=1e-9, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(VALUES, VALUES, st.permutations(range(24)))
def test_sqnr_does_not_depend_on_a_shared_order(expected, actual, order):
    shuffled = sqnr_db(expected.ravel()[order], actual.ravel()[order])
    before = sqnr_db(expected, actual)
    assume(before is not None)
    assert shuffled == pytest.approx(before, rel=1e-9, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(VALUES, VALUES, st.integers(0, 4))
def test_sums_over_batches_are_sums_over_everything(expected, actual, cut):
    parts = error_sums(expected[:cut], actual[:cut]) + error_sums(expected[cut:], actual[cut:])
    whole = error_sums(expected, actual)
    assert parts.count == whole.count
    assert parts.max_abs_error == whole.max_abs_error
    assert parts.rms_error == pytest.approx(whole.rms_error, rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(VALUES, st.integers(0, 23), st.sampled_from([math.nan, math.inf, -math.inf]))
def test_one_bad_value_shows_in_every_error(expected, place, bad):
    actual = expected.copy()
    actual.flat[place] = bad
    for sums in (error_sums(expected, actual), error_sums(expected, expected) + error_sums(expected, actual)):
        assert not math.isfinite(sums.rms_error)
        assert not math.isfinite(sums.max_abs_error)
        assert not sums.rms_error <= 1e30
        assert sums.sqnr_db is None or not sums.sqnr_db >= -1e9


def test_nan_survives_adding_from_either_side():
    bad = error_sums(np.ones(2), np.array([1.0, np.nan]))
    good = error_sums(np.ones(2), np.ones(2))
    assert math.isnan((bad + good).max_abs_error)
    assert math.isnan((good + bad).max_abs_error)


def test_shapes_are_never_broadcast():
    with pytest.raises(ValueError, match="shapes differ"):
        error_sums(np.ones((4, 1)), np.ones((4, 4)))


def test_nothing_compared_is_no_error():
    assert error_sums(np.ones((0, 3)), np.ones((0, 3))) == ErrorSums()
    assert ErrorSums().rms_error == 0


def test_cosine():
    assert cosine(np.array([1.0, 0]), np.array([0, 2.0])) == 0
    assert cosine(np.array([1.0, 2]), np.array([-2.0, -4])) == pytest.approx(-1)
    assert cosine(np.zeros(2), np.ones(2)) is None


def test_ulp_counts_representable_values():
    one = np.array([1.0, 0.0, -1.0], np.float32)
    assert max_ulp(one, np.nextafter(one, np.float32(np.inf))) == 1
    assert max_ulp(np.array([-0.0], np.float32), np.array([0.0], np.float32)) == 0
    smallest = np.finfo(np.float32).smallest_subnormal
    assert max_ulp(np.array([-smallest], np.float32), np.array([smallest], np.float32)) == 2
    assert max_ulp(one, np.array([1, 0, np.nan], np.float32)) is None
