"""Layouts: however a tensor is stored, what comes out is what ONNX says. Pure numpy, no TensorFlow."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.layout.dims import Dim, exact_quotient, product
from convert.layout.layout import ALIGNMENT, Fold, Layout, contiguous, plan_relayout
from convert.layout.reshape import common_refinement, order_of_parts, plan_reshape, resolve_target

N = Dim.of("N")


def _numbered(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(math.prod(shape), dtype=np.float32).reshape(shape)


def _relayout(stored: np.ndarray, source: Layout, target: Layout, shape: tuple[int, ...]) -> np.ndarray:
    plan = plan_relayout(source, target, shape)
    return stored.reshape(plan.expanded).transpose(plan.permutation).reshape(plan.merged)


def _reshape(stored: np.ndarray, layout: Layout, shape: tuple[int, ...], target: tuple[int, ...]) -> tuple:
    plan = plan_reshape(layout, shape, target)
    return _relayout(stored, layout, plan.prepared, shape).reshape(plan.stored_sizes), plan.layout


@st.composite
def reshapes(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Factors, and two ways to cut their product into axes."""
    factors = draw(st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=5))

    def cut() -> tuple[int, ...]:
        marks = sorted(draw(st.sets(st.integers(1, max(len(factors) - 1, 1)), max_size=3)))
        edges = [0, *[mark for mark in marks if mark < len(factors)], len(factors)]
        return tuple(math.prod(factors[a:b]) for a, b in itertools.pairwise(edges))

    return cut(), cut(), cut()


@given(reshapes(), st.randoms(use_true_random=False))
def test_two_reshapes_and_transposes_in_any_storage_are_what_numpy_says(case, random) -> None:
    shape, middle, last = case
    array = _numbered(shape)
    layout = Layout(tuple(random.sample(range(len(shape)), len(shape))))
    stored = layout.store(array)
    for target in (middle, last, shape):
        stored, layout = _reshape(stored, layout, array.shape, target)
        array = array.reshape(target)
        permutation = random.sample(range(len(target)), len(target))
        array, layout = array.transpose(permutation), layout.transposed(permutation)

        assert np.array_equal(stored, layout.store(array))
        assert np.array_equal(_relayout(stored, layout, Layout.identity(array.ndim), array.shape), array)


def test_flattening_a_channels_last_image_moves_nothing_and_is_remembered() -> None:
    plan = plan_reshape(Layout.channels_last(4), (N, 256, 6, 6), (N, 9216))

    assert plan.prepared == Layout.channels_last(4)
    assert plan.layout == Layout((0, 1), (Fold(1, (256, 6, 6), (1, 2, 0)),))


def test_a_flattened_image_can_be_cut_again_without_moving() -> None:
    flat = plan_reshape(Layout.channels_last(4), (N, 8, 6, 6), (N, 288)).layout

    plan = plan_reshape(flat, (N, 288), (N, 8, 36))

    assert plan.prepared == flat
    assert plan.layout == Layout((0, 2, 1))


def test_a_channel_shuffle_moves_only_within_the_channels() -> None:
    split = plan_reshape(Layout.channels_last(4), (N, 116, 28, 28), (N, 2, 58, 28, 28))
    swapped = split.layout.transposed((0, 2, 1, 3, 4))

    merged = plan_reshape(swapped, (N, 58, 2, 28, 28), (N, 116, 28, 28))

    assert split.prepared == Layout.channels_last(4)
    assert merged.prepared == swapped
    assert merged.layout == Layout((0, 2, 3, 1), (Fold(1, (58, 2), (1, 0)),))


def test_heads_go_back_beside_their_width_in_one_transpose() -> None:
    """What attention gives is stored (N, heads, tokens, width) and read as (N, tokens, heads · width)."""
    plan = plan_reshape(Layout((0, 2, 1, 3)), (N, 197, 3, 64), (N, 197, 192))

    assert plan.prepared.is_identity
    assert plan.layout.is_identity


def test_heads_go_back_into_channels_last_in_one_transpose() -> None:
    """LeViT: stored (N, heads, tokens, width), read as (N, heads · width, height, width)."""
    plan = plan_reshape(Layout((0, 1, 3, 2)), (N, 4, 16, 49), (N, 64, 7, 7))

    assert plan.layout == Layout.channels_last(4)


def test_axes_that_are_merged_transposed_and_split_again_were_only_transposed() -> None:
    """Heads merged into the batch, tokens and width swapped, heads split off: keys, as torch's exporter spells them."""
    refined = common_refinement((N, 3, 197, 64), (N * 3, 197, 64))

    assert refined == (N, 3, 197, 64)
    assert order_of_parts(refined, (N * 3, 197, 64), (0, 2, 1)) == (0, 1, 3, 2)


def test_what_is_merged_and_split_at_once_has_a_common_refinement() -> None:
    """MobileViT's patches: (N, C, H, W) as (N · C · H / 2, 2, W / 2, 2)."""
    assert common_refinement((N, 64, 32, 32), (N * 1024, 2, 16, 2)) == (N, 64, 16, 2, 16, 2)
    assert common_refinement((N, 6, 4), (N, 4, 6)) is None


@given(reshapes(), st.randoms(use_true_random=False))
def test_a_reshape_and_transpose_are_a_finer_transpose_and_a_merge(case, random) -> None:
    shape, merged, _ = case
    refined = common_refinement(shape, merged)
    if refined is None:
        return
    permutation = tuple(random.sample(range(len(merged)), len(merged)))
    order = order_of_parts(refined, merged, permutation)

    expected = _numbered(shape).reshape(merged).transpose(permutation)
    assert np.array_equal(_numbered(shape).reshape(refined).transpose(order).reshape(expected.shape), expected)


def test_a_large_matrix_is_transposed_in_strips() -> None:
    matrix = _numbered((700, 300))

    assert np.array_equal(contiguous(matrix.T), matrix.T)
    assert contiguous(matrix.T).flags.c_contiguous


@pytest.mark.parametrize("offset", [0, 3, 4])
def test_tensorflow_is_given_aligned_memory_of_its_own(offset: int) -> None:
    in_a_file = np.frombuffer(bytes(4004), np.uint8)[offset : offset + 4000].view(np.float32).reshape(50, 20)

    copy = contiguous(in_a_file)

    assert copy.ctypes.data % ALIGNMENT == 0
    assert copy.flags.writeable
    assert contiguous(copy) is copy


def test_pooled_features_keep_identity_when_their_unit_axes_go() -> None:
    assert plan_reshape(Layout.channels_last(4), (N, 512, 1, 1), (N, 512)).layout.is_identity


def test_transposes_that_only_move_axes_of_size_one_are_free() -> None:
    plan = plan_relayout(Layout.channels_last(4), Layout.identity(4), (N, 512, 1, 1))

    assert not plan.moves_data
    assert plan.elements == 0


def test_minus_one_is_resolved_through_the_dynamic_batch() -> None:
    assert resolve_target((N, 256, 6, 6), (-1, 9216)) == (N, 9216)
    assert resolve_target((N, 49, 768), (0, -1, 64)) == (N, 588, 64)
    assert resolve_target((N, 3, 4), (-1, 5)) is None


def test_sizes_are_equal_whatever_order_they_were_multiplied_in() -> None:
    assert N * 49 == 49 * N
    assert exact_quotient(N * 9216, 9216) == N
    assert exact_quotient(N * 6, N * 4) is None
    assert product((N, 2, 0)) == 0
    assert str((N + 1) * 2) == "2*(N+1)"
