"""Measures of a task, and what is said of them with how few samples."""

from __future__ import annotations

import numpy as np
import pytest

from verify.task.average_precision import MeanAp
from verify.task.intervals import bootstrap, paired_drop, paired_shares, share
from verify.task.measures import MeanIou, TopK


def test_top_one_counts_right_answers() -> None:
    logits = np.eye(10, dtype=np.float32)[[3, 1, 4, 1]]
    assert TopK().of(TopK().per_sample({"logits": logits}, np.array([3, 1, 4, 2]))) == 0.75


def test_iou_is_of_pixels_and_averaged_over_classes_that_there_are() -> None:
    truth = np.zeros((1, 2, 2), np.int64)
    truth[0, 0] = 1
    found = np.zeros((1, 3, 2, 2), np.float32)
    found[0, 1, 0, 0] = 1.0
    assert MeanIou().of(MeanIou().per_sample({"logits": found}, truth)) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_precision_falls_with_a_box_missed_a_box_twice_and_a_box_that_is_not_there() -> None:
    truth = np.full((1, 3, 5), -1.0, np.float32)
    truth[0, :2] = [[0, 0, 10, 10, 7], [20, 20, 30, 30, 7]]

    def precision(*found: tuple[tuple[float, float, float, float], float]) -> float:
        boxes = np.array([[box for box, _ in found]], np.float32)
        scores = np.zeros((1, len(found), 10), np.float32)
        scores[0, :, 7] = [score for _, score in found]
        return MeanAp().of(MeanAp().per_sample({"boxes": boxes, "scores": scores}, truth))

    first, second, nowhere = ((0, 0, 10, 10), 0.9), ((20, 20, 30, 31), 0.8), ((40, 40, 50, 50), 0.85)
    assert precision(first, second) == 1.0
    assert precision(first) == 0.5
    assert precision(first, second, ((1, 0, 11, 10), 0.7)) == 1.0  # suppressed: it overlaps the first
    assert precision(first, nowhere, second) == pytest.approx((1 + 2 / 3) / 2)
    assert precision(((0, 0, 10, 4), 0.9)) == 0.0


def test_an_interval_does_not_vanish_where_no_answer_changed():
    right = np.ones(600)
    low, high = paired_shares(right, right)
    assert low == -high
    assert 0.002 < high < 0.005


def test_an_interval_narrows_with_samples_and_leans_to_where_answers_changed():
    def interval(count):
        before, after = np.ones(count), np.ones(count)
        after[: count // 20] = 0
        return paired_shares(before, after)

    (few_low, few_high), (many_low, many_high) = interval(200), interval(2000)
    assert few_low < many_low < 0.05 < many_high < few_high
    assert many_low > 0.03


def test_resamples_are_the_same_for_both_files():
    answers = np.random.default_rng(0).integers(0, 2, 300).astype(float)
    assert bootstrap(300, lambda chosen: answers[chosen].sum() - answers[chosen].sum()) == (0.0, 0.0)


def test_top_five_forgives_four_better_ones() -> None:
    logits = np.array([[9, 8, 7, 6, 5, 4]], np.float32)
    assert [TopK(5).of(TopK(5).per_sample({"logits": logits}, np.array([label]))) for label in (4, 5)] == [1.0, 0.0]


def test_pixels_of_no_class_are_not_counted() -> None:
    found = np.zeros((1, 2, 1, 2), np.float32)
    found[0, 1] = 1.0
    assert MeanIou().of(MeanIou().per_sample({"logits": found}, np.array([[[1, 255]]]))) == 1.0


def test_a_share_near_one_is_not_certain() -> None:
    low, high = share(50, 50)
    assert 0.92 < low < 0.94
    assert high == 1.0


def test_a_measure_that_is_no_share_is_resampled() -> None:
    random = np.random.default_rng(0)
    before = random.uniform((0, 9), (9, 18), (200, 3, 2))
    low, high = paired_drop(before, before * [0.9, 1.0], MeanIou())
    assert low < 0.1 * MeanIou().of(before) < high
