from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from quantize.calibration.method_names import RangeMethod, RangesOption
from quantize.jobs import make_int8
from quantize.recipe import IoType
from verify.batches import batch_name, write_batch
from verify.metrics import sqnr_db
from verify.runners.tflite_file import tflite_signature


@pytest.fixture
def quantized(float_models, worker, tmp_path):
    """The job that makes a float model's int8 file: what it gave, and its peak memory."""

    def run(model: str, calibration: Path, *, max_samples: int = 128, ranges: RangesOption = RangesOption.AUTO):
        source = float_models / f"{model}.tflite"
        return worker.run(
            make_int8,
            model=source,
            out=tmp_path / "int8.tflite",
            calibration=calibration,
            signature=tflite_signature(source, {}),
            io=IoType.INT8,
            max_samples=max_samples,
            ranges=ranges,
        )

    return run


@pytest.fixture
def calibrated_on(quantized, tmp_path):
    def make(images: np.ndarray, ranges: RangesOption = RangesOption.AUTO):
        np.savez(tmp_path / "samples.npz", image=images)
        return quantized("mixed", tmp_path / "samples.npz", ranges=ranges).value

    return make


def images(count: int, scale: float = 1.0, seed: int = 5) -> np.ndarray:
    return (scale * np.random.default_rng(seed).normal(size=(count, 16, 16, 3))).astype(np.float32)


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
    assert re.search(r"SQNR in dB on \d+ samples held back, mean/pooled: mse [\d.]+/[\d.]+, \w+ [\d.]+", notes[1])


@pytest.mark.parametrize("scales", [(1, 1), (1, 3), (0.1, 1)])
def test_auto_is_no_worse_on_other_samples_than_the_librarys_average(
    scales, calibrated_on, float_models, infer, tmp_path
):
    """Of even samples, and of dark and bright ones; by more than chance, that is."""
    samples, others = images(40), images(32, seed=6)
    for index, scale in enumerate(scales):
        samples[index::2] *= scale
        others[index::2] *= scale
    expected = infer(float_models / "mixed.tflite", {"image": others})["logits"]

    def quality_db(ranges: RangesOption) -> float:
        signature = calibrated_on(samples, ranges).signature
        stored = infer(tmp_path / "int8.tflite", {"image": signature.input("image").from_torch(others)})["logits"]
        return sqnr_db(expected, signature.output("logits").to_torch(stored))

    assert quality_db(RangesOption.AUTO) > quality_db(RangesOption.AVERAGE) - 0.5


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


def test_large_outputs_are_held_once_a_sample(quantized, tmp_path):
    """4.2 MB each. Comparing all as one in float64 took eight times as much, 9 GB for LR-ASPP's masks."""

    def peak_bytes(count: int) -> int:
        np.savez(tmp_path / "samples.npz", image=images(count))
        return quantized("mask", tmp_path / "samples.npz").peak_memory_bytes

    mask_bytes = 512 * 512 * 4 * 4
    assert peak_bytes(26) - peak_bytes(2) < 2 * 24 * mask_bytes


def test_memory_is_flat_in_the_number_of_samples(quantized, tmp_path):
    def peak_bytes(count: int) -> int:
        for start in range(0, count, 50):
            write_batch(tmp_path / "samples" / batch_name(start // 50), {"image": images(50)})
        job = quantized("mixed", tmp_path / "samples", max_samples=count, ranges=RangesOption.MSE)
        return job.peak_memory_bytes

    sample_bytes = 16 * 16 * 3 * 4
    peak_bytes(50)  # the first job of a worker imports what it needs
    few = peak_bytes(50)
    assert peak_bytes(2000) - few < 0.5 * 1950 * sample_bytes
