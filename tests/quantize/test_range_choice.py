from __future__ import annotations

import re

import numpy as np
import pytest

from quantize.calibration.method_names import RangeMethod, RangesOption
from quantize.jobs import make_int8
from quantize.recipe import IoType
from verify.runners.tflite_file import tflite_signature


@pytest.fixture
def calibrated_on(float_models, worker, tmp_path):
    def make(images: np.ndarray, ranges: RangesOption = RangesOption.AUTO):
        np.savez(tmp_path / "samples.npz", image=images)
        source = float_models / "mixed.tflite"
        return worker.run(
            make_int8,
            model=source,
            out=tmp_path / "int8.tflite",
            calibration=tmp_path / "samples.npz",
            signature=tflite_signature(source, {}),
            io=IoType.INT8,
            max_samples=128,
            ranges=ranges,
        ).value

    return make


def images(count: int, scale: float = 1.0) -> np.ndarray:
    return (scale * np.random.default_rng(5).normal(size=(count, 16, 16, 3))).astype(np.float32)


def test_one_outlier_among_many_samples_does_not_set_the_ranges(calibrated_on):
    samples = images(40)
    samples[20] *= 30
    image = image_range(calibrated_on(samples))
    assert image.high < samples.max() / 2


def test_samples_of_changing_brightness_get_ranges_that_hold_nearly_all(calibrated_on):
    samples = images(40)
    samples[20:] *= 3
    image = image_range(calibrated_on(samples))
    assert image.high > np.quantile(samples, 0.9999)
    assert image.low < np.quantile(samples, 0.0001)


def image_range(result):
    return next(each for each in result.recipe.calibration.ranges if "image" in each.tensor)


@pytest.mark.parametrize("ranges", [each for each in RangesOption if each is not RangesOption.AVERAGE])
def test_the_same_samples_in_any_order_give_the_same_file(ranges, calibrated_on, tmp_path):
    samples = images(24)
    first = calibrated_on(samples, ranges)
    content = (tmp_path / "int8.tflite").read_bytes()
    for seed in range(2):
        again = calibrated_on(np.random.default_rng(seed).permutation(samples), ranges)
        assert again.recipe == first.recipe
        assert (tmp_path / "int8.tflite").read_bytes() == content


def test_the_choice_and_its_figures_are_in_the_notes(calibrated_on):
    notes = calibrated_on(images(40)).notes
    assert notes[0] == "calibrated on 40 samples"
    assert notes[1].startswith("ranges: ")
    assert re.search(r"SQNR in dB on \d+ samples held back, mean/pooled: mse [\d.]+/[\d.]+, percentile", notes[1])


def test_a_dozen_samples_are_too_few_to_hold_any_back(calibrated_on):
    assert "SQNR in dB on 8 samples of them all" in " ".join(calibrated_on(images(8)).notes)


def test_the_method_that_was_asked_for_is_in_the_recipe(calibrated_on):
    result = calibrated_on(images(24), RangesOption.ENTROPY)
    assert result.recipe.calibration.method is RangeMethod.ENTROPY
    assert "ranges: entropy, as asked" in result.notes


def test_the_same_samples_give_the_same_file(calibrated_on, tmp_path):
    calibrated_on(images(24))
    first = (tmp_path / "int8.tflite").read_bytes()
    calibrated_on(images(24))
    assert (tmp_path / "int8.tflite").read_bytes() == first


def test_trials_leave_nothing_behind(calibrated_on, tmp_path):
    calibrated_on(images(24))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["int8.tflite", "samples.npz"]


def test_large_outputs_are_held_once_a_sample(float_models, worker, tmp_path):
    """4.2 MB each. Comparing all as one in float64 took eight times as much, 9 GB for LR-ASPP's masks."""

    def peak_bytes(count: int) -> int:
        np.savez(tmp_path / "samples.npz", image=images(count))
        source = float_models / "mask.tflite"
        job = worker.run(
            make_int8,
            model=source,
            out=tmp_path / "int8.tflite",
            calibration=tmp_path / "samples.npz",
            signature=tflite_signature(source, {}),
            io=IoType.INT8,
            max_samples=128,
        )
        return job.peak_memory_bytes

    mask_bytes = 512 * 512 * 4 * 4
    assert peak_bytes(26) - peak_bytes(2) < 2 * 24 * mask_bytes
