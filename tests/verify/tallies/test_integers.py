"""Integers are judged exactly; a label that follows its model's scores is told from one that follows from nothing."""

from __future__ import annotations

import json

import numpy as np
from edges import FLOAT, QUANTIZED, compare, outputs

from verify.jsonio import to_jsonable
from verify.report.types import Verdict


def _labelled(batches, labels=None):
    return [{**batch, "label": batch["y"].argmax(axis=1)} for batch in batches]


def _near_tie(batches):
    """The second score of one sample is a millionth below its first."""
    row = batches[2]["y"][3]
    row[:] = [0, 1, 2, 2 - 1e-6, 1, 0]
    return batches


def _swapped(batches):
    row = batches[2]["y"][3]
    row[:] = [0, 1, 2 - 1e-6, 2, 1, 0]
    return batches


def test_one_wrong_index_fails_exactly(tmp_path):
    indices = [{"y": np.arange(size * 1000).reshape(size, 1000)} for size in (1, 2, 5)]
    wrong = [{"y": batch["y"].astype(np.int32)} for batch in indices]
    wrong[1]["y"][1, 7] += 1
    (output,) = compare(tmp_path, indices, wrong).outputs
    assert output.verdict is Verdict.FAIL
    assert output.failure == "different integers"
    assert "1 of 8000 integers differ, the first at batch_001.npz[1, 7]: expected 1007, got 1008" in output.explanation
    assert "no output gives their scores" in output.explanation


def test_equal_integers_pass_in_any_width(tmp_path):
    indices = [{"y": np.arange(size * 3).reshape(size, 3)} for size in (1, 2, 5)]
    edge = compare(tmp_path, indices, [{"y": batch["y"].astype(np.int32)} for batch in indices])
    assert edge.outputs[0].explanation == "All 24 integers are equal."


def test_a_label_that_follows_nearly_tied_scores_is_a_near_tie(tmp_path):
    edge = compare(tmp_path, _labelled(_near_tie(outputs())), _labelled(_swapped(outputs())))
    scores, label = edge.outputs
    assert scores.verdict is Verdict.PASS
    assert label.verdict is Verdict.INCONCLUSIVE
    assert label.failure == "near ties"


def test_a_label_that_its_scores_do_not_give_fails(tmp_path):
    wrong = _labelled(_near_tie(outputs()))
    wrong[2]["label"][3] = 3
    label = compare(tmp_path, _labelled(_near_tie(outputs())), wrong).outputs[1]
    assert label.failure == "different integers"
    assert label.verdict is Verdict.FAIL


def test_labels_of_a_quantized_model_need_their_declared_share(tmp_path):
    expected = [{"y": np.arange(size * 10).reshape(size, 10) % 7} for size in (1, 2, 5)]
    actual = [{"y": batch["y"].copy()} for batch in expected]
    actual[2]["y"][0, :8] += 1
    (at_the_edge,) = compare(tmp_path / "90", expected, actual, QUANTIZED).outputs
    actual[2]["y"][0, 8] += 1
    (beyond,) = compare(tmp_path / "89", expected, actual, QUANTIZED).outputs
    assert (at_the_edge.verdict, beyond.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert "90.0% are equal, the budget is at least 90%" in at_the_edge.explanation


def test_top1_flips_carry_their_margins(tmp_path):
    def flip(batches, row, first, second):
        batches[2]["y"][row, [first, second]] = batches[2]["y"][row, [second, first]]

    expected, actual = _near_tie(outputs()), _swapped(outputs())
    flip(actual, 0, *np.argsort(actual[2]["y"][0])[[-1, 0]])
    edge = compare(tmp_path, expected, actual, FLOAT, class_count=6)
    assert edge.top1_agreement == 6 / 8
    assert edge.top1.near_ties == 1
    real, tie = edge.top1.flips
    assert (real.sample, tie.sample) == ("batch_002.npz[0]", "batch_002.npz[3]")
    assert not real.near_tie
    assert tie.near_tie
    best = np.sort(expected[2]["y"][0])
    assert np.isclose(real.margin, best[-1] - best[-2])
    margins = [np.diff(np.sort(row)[-2:])[0] for batch in expected for row in batch["y"].astype(float)]
    assert np.isclose(edge.top1.median_margin, np.median(margins))


def test_a_flip_of_masked_or_broken_scores_is_no_near_tie(tmp_path):
    def alone(batches, best):
        batches[2]["y"][0] = -np.inf
        batches[2]["y"][0, best] = 1
        return batches

    edge = compare(tmp_path, alone(outputs(), 0), alone(outputs(), 1), class_count=6)
    (flip,) = edge.top1.flips
    assert (flip.margin, flip.near_tie, edge.top1.near_ties) == (None, False, 0)
    assert np.isfinite(edge.top1.median_margin)
    json.dumps(to_jsonable(edge), allow_nan=False)
