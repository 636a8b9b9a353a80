"""NaN and infinities are counted by kind and place, on each side, and never turned into numbers."""

from __future__ import annotations

import numpy as np
import pytest
from edges import changed, compare, outputs

from verify.report.findings import NonFinite
from verify.report.types import Verdict
from verify.tallies.nonfinite import NonFiniteTally


def test_the_ledger_counts_each_kind_and_keeps_the_first_place():
    tally = NonFiniteTally()
    tally.note(np.zeros((2, 3), np.float32), "batch_000.npz")
    assert tally.report is None
    values = np.array([[0, 1, np.inf], [np.nan, -np.inf, np.nan]], np.float32)
    tally.note(values, "batch_001.npz")
    tally.note(values, "batch_002.npz")
    assert tally.report == NonFinite(4, 2, 2, "batch_001.npz[0, 2]")


def test_one_nan_in_thousands_is_found_and_placed(tmp_path):
    def spoil(batches) -> None:
        batches[2]["y"][4, 4321] = np.nan

    edge = compare(tmp_path, outputs(classes=5000), changed(spoil, classes=5000))
    (output,) = edge.outputs
    assert output.failure == "one-sided NaN"
    assert output.actual_nonfinite == NonFinite(1, 0, 0, "batch_002.npz[4, 4321]")
    assert output.expected_nonfinite is None
    assert "given 1 NaN, the first at batch_002.npz[4, 4321]" in output.explanation
    assert output.sqnr_db is None


def test_the_ledger_goes_on_after_the_first_failure(tmp_path):
    def spoil(batches) -> None:
        for batch in batches:
            batch["y"][0, 0] = np.inf

    edge = compare(tmp_path, outputs(), changed(spoil))
    assert edge.outputs[0].actual_nonfinite == NonFinite(0, 3, 0, "batch_000.npz[0, 0]")


def _masked(batches, wrong: float = 0.0) -> None:
    for batch in batches:
        batch["y"][:, 2] = -np.inf
        batch["y"][:, 3] += np.float32(wrong)


@pytest.mark.parametrize(("wrong", "verdict"), [(0.0, Verdict.PASS), (0.1, Verdict.FAIL)])
def test_a_mask_of_both_sides_leaves_the_rest_to_be_judged(tmp_path, wrong, verdict):
    edge = compare(tmp_path, changed(_masked), changed(lambda batches: _masked(batches, wrong)))
    (output,) = edge.outputs
    assert output.verdict is verdict
    assert output.compared_values == 40
    assert output.expected_nonfinite == output.actual_nonfinite == NonFinite(0, 0, 8, "batch_000.npz[0, 2]")
    assert "8 more values are -Inf in both models" in output.explanation


def test_an_overflow_in_both_is_no_mask(tmp_path):
    def overflow(batches) -> None:
        batches[1]["y"][1, 3] = np.inf

    assert compare(tmp_path, changed(overflow), changed(overflow)).outputs[0].failure == "non-finite output"


def test_an_output_that_is_masked_everywhere_proves_nothing(tmp_path):
    def hide(batches) -> None:
        for batch in batches:
            batch["y"][:] = -np.inf

    (output,) = compare(tmp_path, changed(hide), changed(hide)).outputs
    assert output.failure == "nothing compared"
    assert "-Inf everywhere" in output.explanation


def test_a_mask_on_one_side_fails(tmp_path):
    assert compare(tmp_path, changed(_masked), outputs()).outputs[0].failure == "one-sided Inf"
