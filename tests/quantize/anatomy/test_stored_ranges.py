"""What an int8 tensor holds, beside what the float model puts there."""

from __future__ import annotations

import numpy as np
import pytest

from quantize.anatomy.stored import Storage
from quantize.calibration.effects import Effect

HALVES = Storage(scale=0.5, zero_point=-28, dtype=np.dtype(np.int8))
"""From -50 to 77.5."""


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_values_beyond_either_end_are_counted_apart():
    held = HALVES.range_of([floats(-60, -50, 0, 77), floats(77.5, 77.7, 78, 90)])
    assert (held.low, held.high) == (-50, 77.5)
    assert (held.below, held.above) == (1 / 8, 2 / 8), "77.7 is rounded to 77.5, as any value is"
    assert held.clipped == 3 / 8
    assert (held.seen_low, held.seen_high) == (-60, 90)
    assert held.used == 1


def test_the_used_share_is_of_what_is_held():
    assert HALVES.range_of([floats(0, 31.875)]).used == pytest.approx(0.25)
    assert HALVES.range_of([floats(-1000)]).used == 0


def test_padding_and_what_is_not_finite_are_left_out():
    held = HALVES.range_of([floats(-np.inf, -3.4e38, 1, 2, np.nan)])
    assert (held.seen_low, held.seen_high, held.clipped) == (1, 2, 0)


def test_what_hard_swish_makes_nothing_of_is_not_clipped():
    narrow = Storage(scale=0.05, zero_point=-68, dtype=np.dtype(np.int8))
    values = [floats(-5, -4, 0, 20)]
    assert narrow.low == pytest.approx(-3)
    assert narrow.range_of(values).below == 1 / 2
    held = narrow.range_of(values, Effect.HARD_SWISH)
    assert (held.below, held.above) == (0, 1 / 4)


def test_storing_clips_and_rounds():
    np.testing.assert_array_equal(HALVES.store(floats(-1e9, -50.2, 0.2, 0.3, 1e9)), [-128, -128, -28, -27, 127])
    np.testing.assert_array_equal(HALVES.real(HALVES.store(floats(3.5, 77.5))), [3.5, 77.5])
