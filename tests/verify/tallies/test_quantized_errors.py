"""Errors of a quantized output in its own steps: shares within 1 and 2, and what sticks to an end."""

from __future__ import annotations

import numpy as np
import pytest
from edges import QUANTIZED, compare, outputs

from verify.runners.output_grids import output_grids
from verify.tallies.grid import GridTally, OutputGrid

INT8 = OutputGrid("y", scale=0.05, zero_point=-3, lowest_code=-128, highest_code=127)


def _on_grid(values, grid=INT8):
    codes = np.clip(np.rint(values / grid.scale) + grid.zero_point, grid.lowest_code, grid.highest_code)
    return ((codes - grid.zero_point) * grid.scale).astype(np.float32)


def test_rounding_alone_is_within_one_step(tmp_path):
    expected = outputs()
    edge = compare(tmp_path, expected, [{"y": _on_grid(batch["y"])} for batch in expected], QUANTIZED, grids=(INT8,))
    found = edge.outputs[0].quantized
    assert (found.within_one_step, found.within_two_steps, found.saturated) == (1, 1, 0)
    assert found.step == 0.05


@pytest.mark.parametrize(("steps", "one", "two"), [(0.9, 1, 1), (1.5, 0, 1), (2.5, 0, 0)])
def test_shares_are_of_whole_steps(steps, one, two):
    tally = GridTally(INT8)
    tally.note(np.zeros((4, 5), np.float32), np.full((4, 5), steps * 0.05, np.float32))
    report = tally.report
    assert (report.within_one_step, report.within_two_steps) == (one, two)


def test_sixteen_bit_codes_are_not_told_apart_by_float32():
    grid = OutputGrid("y", 0.001, 0, -32768, 32767)
    codes = np.arange(-32768, 32767, dtype=np.int64)
    tally = GridTally(grid)
    scale = np.float32(grid.scale)
    tally.note(codes.astype(np.float32) * scale, (codes + 1).astype(np.float32) * scale)
    assert tally.report.within_one_step == 1


def test_values_that_were_clipped_are_saturated():
    expected = np.array([0.0, 3.0, 9.0, -9.0, 6.5], np.float32)
    tally = GridTally(INT8)
    tally.note(expected, _on_grid(expected))
    assert tally.report.saturated == 2 / 5  # 6.5 is the upper end itself


def test_a_value_stuck_at_an_end_is_saturated():
    tally = GridTally(INT8)
    tally.note(np.array([0.0, 1.0], np.float32), np.array([6.5, 1.0], np.float32))
    assert tally.report.saturated == 0.5


def test_real_int8_outputs_have_the_grids_of_their_file(tf_models, runtime_worker):
    grids = runtime_worker.run(output_grids, path=tf_models / "net_int8.tflite").value
    assert sorted(grid.name for grid in grids) == ["features", "logits"]
    assert all(grid.scale > 0 and grid.lowest_code == -128 and grid.highest_code == 127 for grid in grids)
    assert runtime_worker.run(output_grids, path=tf_models / "net_float32.tflite").value == ()
    assert runtime_worker.run(output_grids, path=tf_models / "net_dynamic_int8.tflite").value == ()


def test_the_report_explains_itself_in_one_sentence():
    tally = GridTally(INT8)
    tally.note(np.zeros(8, np.float32), np.array([0, 0, 0, 0, 0, 0.075, 0.075, 0.5], np.float32))
    assert tally.report.explanation == (
        "62.5% of 8 values are within 1 LSB (0.05) and 87.5% within 2; "
        "0.0% stick to an end of the output's range where they should not."
    )
