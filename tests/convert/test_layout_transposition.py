"""Transposes of many axes as transposes of few do the same."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from convert.layout.dims import Dim
from convert.layout.transposition import MOST_AXES, few_axes


def _moved(array: np.ndarray, permutation: tuple[int, ...]) -> np.ndarray:
    """The array through the steps, in its final shape."""
    shape = tuple(array.shape[axis] for axis in permutation)
    for step in few_axes(array.shape, permutation):
        assert len(step.permutation) <= MOST_AXES
        array = array.reshape(step.sizes).transpose(step.permutation)
    return array.reshape(shape)


@pytest.mark.parametrize("sizes", [(2, 3, 2, 2), (1, 3, 1, 2), (2, 1, 1, 1), (2, 2, 2, 2)])
def test_every_order_of_four_axes_comes_out_right(sizes: tuple[int, ...]) -> None:
    array = np.arange(np.prod(sizes)).reshape(sizes)
    for permutation in permutations(range(4)):
        assert np.array_equal(_moved(array, permutation), array.transpose(permutation))


@pytest.mark.parametrize("seed", range(40))
def test_nine_axes_come_out_right(seed: int) -> None:
    random = np.random.default_rng(seed)
    array = np.arange(2**8).reshape(random.permutation([2] * 8 + [1]))
    permutation = tuple(int(axis) for axis in random.permutation(9))
    assert np.array_equal(_moved(array, permutation), array.transpose(permutation))


def test_the_windows_of_a_video_swin_take_one_transpose_of_six_axes() -> None:
    batch = Dim.of("N")
    (step,) = few_axes((batch, 2, 8, 7, 7, 7, 7, 96), (0, 1, 3, 5, 2, 4, 6, 7))
    assert step.sizes == (batch * 2, 8, 7, 7, 7, 7 * 96)
    assert step.permutation == (0, 2, 4, 1, 3, 5)
