"""Reductions that LiteRT's kernels take in another form only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from both_roads import run_node

from verify.worker import Worker


@pytest.mark.parametrize(("axes", "keepdims"), [([2], 0), ([1, 2, 5], 1), ([0, 6], 0)])
def test_a_sum_over_seven_axes_is_one_over_fewer(worker: Worker, tmp_path: Path, axes: list[int], keepdims: int):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 2, 2, 3, 2)).astype(np.float32)
    expected = x.sum(axis=tuple(axes), keepdims=bool(keepdims))

    inputs = {"x": x, "axes": np.array(axes, np.int64)}
    for actual in run_node(
        worker, tmp_path, "ReduceSum", inputs, expected.shape, keepdims=keepdims, constants=("axes",)
    ):
        assert actual.shape == expected.shape
        assert np.abs(actual - expected).max() < 1e-5


def test_the_mean_of_a_large_image_keeps_its_digits(worker: Worker, tmp_path: Path):
    """LiteRT adds one number after the other: in one step its mean has 108 dB."""
    x = np.abs(np.random.default_rng(0).standard_normal((1, 8, 228, 228))).astype(np.float32)
    expected = x.mean(axis=(2, 3), keepdims=True, dtype=np.float64)
    for actual in run_node(worker, tmp_path, "GlobalAveragePool", {"x": x}, expected.shape):
        assert 10 * np.log10((expected**2).sum() / ((actual - expected) ** 2).sum()) > 125
