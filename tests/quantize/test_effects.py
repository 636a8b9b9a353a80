from __future__ import annotations

import numpy as np
import pytest

from quantize.calibration.effects import Effect, effects


def test_tensors_that_only_activations_read_are_found(float_models):
    found = set(effects(float_models / "mixed.tflite").values())
    assert found == {Effect.HARD_SWISH, Effect.SIGMOID}


def test_what_several_ops_read_has_no_effect(float_models):
    """``plain``: its one convolution ends in a ReLU of its own, and a mean reads it."""
    assert effects(float_models / "plain.tflite") == {}


@pytest.mark.parametrize("effect", [each for each in Effect if each is not Effect.NORMALISER])
def test_slopes_are_those_of_the_function(effect):
    points = np.linspace(-7.9, 7.9, 41)
    rises = (effect.values(points + 1e-5) - effect.values(points - 1e-5)) / 2e-5
    np.testing.assert_allclose(effect.slopes(points), rises, atol=1e-3)
