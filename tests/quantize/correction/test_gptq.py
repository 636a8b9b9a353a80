"""GPTQ alone, on matrices."""

from __future__ import annotations

import numpy as np
import pytest

from quantize.correction import gptq
from quantize.correction.gptq import round_columns

RANDOM = np.random.default_rng(0)


def correlated(groups: int, rows: int, inputs: int) -> np.ndarray:
    """Rows that mostly lie in a fourth of the dimensions, as activations do."""
    mixing = RANDOM.normal(size=(groups, inputs // 4, inputs))
    return (RANDOM.normal(size=(groups, rows, inputs // 4)) @ mixing).astype(np.float32)


def weights_and_scales(groups: int, inputs: int, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    weights = RANDOM.normal(size=(groups, inputs, outputs)).astype(np.float32)
    return weights, np.abs(weights).max(axis=1) / np.float32(127)


def loss(rows: np.ndarray, weights: np.ndarray, rounded: np.ndarray, scales: np.ndarray) -> float:
    return float(np.square(rows @ (weights - rounded * scales[:, None])).sum())


@pytest.mark.parametrize(("groups", "inputs", "outputs"), [(1, 64, 32), (8, 16, 1), (2, 40, 6)])
def test_outputs_lose_a_third_of_what_rounding_to_the_nearest_costs(groups, inputs, outputs):
    rows, (weights, scales) = correlated(groups, 500, inputs), weights_and_scales(groups, inputs, outputs)
    rounded = round_columns(weights, rows, scales)
    nearest = np.rint(weights / scales[:, None])
    others = correlated(groups, 1, inputs)
    assert others.shape[2] == inputs
    assert loss(rows, weights, rounded, scales) < loss(rows, weights, nearest, scales) / 3


def test_a_wide_layer_is_rounded_in_parts_that_know_of_each_other(monkeypatch):
    rows, (weights, scales) = correlated(1, 500, 96), weights_and_scales(1, 96, 16)
    whole = round_columns(weights, rows, scales)
    monkeypatch.setattr(gptq, "PART", 32)
    in_parts = round_columns(weights, rows, scales)
    nearest = np.rint(weights / scales[:, None])
    assert (in_parts != whole).any()
    assert loss(rows, weights, in_parts, scales) < loss(rows, weights, nearest, scales) / 3


def test_rounded_weights_are_whole_numbers_that_int8_holds_symmetrically():
    rows, (weights, scales) = correlated(1, 500, 32), weights_and_scales(1, 32, 8)
    rounded = round_columns(weights, rows, scales / 2)
    assert (rounded == np.rint(rounded)).all()
    assert np.abs(rounded).max() == 127


def test_inputs_that_are_always_zero_leave_weights_at_the_nearest():
    weights, scales = weights_and_scales(1, 32, 8)
    rounded = round_columns(weights, np.zeros((1, 100, 32), np.float32), scales)
    assert (rounded == np.rint(weights / scales[:, None])).all()
