from __future__ import annotations

import numpy as np

from quantize.calibration.probes import is_held_back
from quantize.calibration.samples import digest_of
from quantize.correction.fitting import FEWEST_SAMPLES, FittingSamples


def offered(model, samples) -> FittingSamples:
    fitting = FittingSamples(model)
    for sample in samples:
        fitting.offer(digest_of(sample), sample)
    return fitting


def images(count: int) -> list[dict[str, np.ndarray]]:
    return [{"image": each} for each in np.random.default_rng(0).normal(size=(count, 1, 4, 4, 3))]


def digests(fitting: FittingSamples) -> list[bytes]:
    return [digest_of(each) for each in fitting.chosen]


def test_the_same_samples_are_chosen_in_any_order_and_however_often_each_comes(float_models):
    samples = images(100)
    first = offered(float_models / "mixed.tflite", samples)
    assert digests(first) == digests(offered(float_models / "mixed.tflite", [*samples[::-1], *samples[:50]]))
    assert 0 < len(first.chosen) <= 64


def test_samples_that_judge_fit_nothing_unless_there_is_next_to_nothing_else(float_models):
    samples = images(100)
    assert not any(map(is_held_back, digests(offered(float_models / "mixed.tflite", samples))))
    judging = [each for each in samples if is_held_back(digest_of(each))]
    assert len(offered(float_models / "mixed.tflite", judging[:FEWEST_SAMPLES]).chosen) == FEWEST_SAMPLES
