"""Channels at another scale are told from other errors."""

from __future__ import annotations

import numpy as np
import pytest

from verify.localise.channel_scales import channel_scales, rescaled_on_purpose

STEP = 0.05


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(4, 8, 8, 6)).astype(np.float32)


def rounded(values):
    return (np.round(values / STEP) * STEP).astype(np.float32)


def test_scaled_channels_are_found_and_the_others_left(values):
    scales = np.array([1, 2, 1, 0.5, 1.1, 1], np.float32)
    found = channel_scales(values, rounded(values * scales), STEP)
    np.testing.assert_allclose(found, scales, rtol=0.01)


def test_rounding_is_no_scale(values):
    assert channel_scales(values, rounded(values), STEP) is None


@pytest.mark.parametrize(
    "wrong",
    [
        lambda values: values[..., ::-1],
        lambda values: -values,
        lambda values: np.maximum(values, 0),
        np.zeros_like,
        lambda values: np.full_like(values, np.nan),
        lambda values: values[:, :4],
    ],
    ids=["channels reversed", "another sign", "an activation more", "nothing", "NaN", "another size"],
)
def test_other_errors_are_no_scale(values, wrong):
    assert channel_scales(values, wrong(values), STEP) is None


def test_two_tensors_with_rescaled_channels_are_meant():
    scales = np.array([1, 2, 1, 1.5], np.float32)
    assert rescaled_on_purpose([None, scales, scales])


@pytest.mark.parametrize("others", [[None], [np.array([1, 3, 1, 1], np.float32)], [np.full(4, 1.03, np.float32)]])
def test_what_one_wrong_op_makes_is_not_meant(others):
    assert not rescaled_on_purpose([np.array([1, 2, 1, 1.5], np.float32), *others])
