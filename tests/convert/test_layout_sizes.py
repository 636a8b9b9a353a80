"""Arithmetic on sizes that are known only when the model runs."""

from __future__ import annotations

from convert.layout.dims import Dim, is_plain, is_within

N = Dim.of("N")


def test_like_sizes_add_up() -> None:
    assert N + N == 2 * N
    assert 2 * N + 3 * N == 5 * N
    assert 2 * N - N == N
    assert N - N == 0
    assert str(N + 1) == "(N+1)"


def test_half_of_two_batches_rounded_up_is_one() -> None:
    assert (2 * N + 1) // 2 == N
    assert (2 * N + 5) // 2 == N + 2
    assert str((N + 1) // 2) == "((N+1)//2)"


def test_a_sum_that_could_not_be_carried_out_is_not_plain() -> None:
    assert is_plain(2 * N)
    assert is_plain(7)
    assert not is_plain(N + 1)


def test_a_size_is_within_another_only_where_that_holds_for_every_batch() -> None:
    assert is_within(N, 2 * N)
    assert not is_within(2 * N, N)
    assert not is_within(N, Dim.of("M"))
    assert not is_within(N, 100)
