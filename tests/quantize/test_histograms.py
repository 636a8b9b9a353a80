from __future__ import annotations

import numpy as np
import pytest

from quantize.calibration.exact_sum import ExactSums
from quantize.calibration.histogram import HALF, Histogram
from quantize.calibration.statistics import COUNTED_VALUES, Extremes, Statistics, counted_part


def histogram_of(*samples: np.ndarray) -> Histogram:
    histogram = Histogram()
    for values in samples:
        histogram.add(values, float(np.abs(values).max()))
    return histogram


def samples_of_many_scales(seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    scales = 10.0 ** random.uniform(-6, 6, 12)
    samples = [(scale * random.standard_normal(200)).astype(np.float32) for scale in scales]
    return [*samples, np.zeros(5, np.float32), np.float32([1e-44, -1e-44, 2048, -2048])]


@pytest.mark.parametrize("seed", range(20))
def test_counts_do_not_depend_on_the_order_of_samples(seed):
    samples = samples_of_many_scales(seed)
    shuffled = [samples[at] for at in np.random.default_rng(seed + 100).permutation(len(samples))]
    first, second = histogram_of(*samples), histogram_of(*shuffled)
    assert first.width == second.width
    np.testing.assert_array_equal(first.counts, second.counts)


@pytest.mark.parametrize("seed", range(5))
def test_two_halves_merged_are_the_whole(seed):
    samples = samples_of_many_scales(seed)
    whole, merged = histogram_of(*samples), histogram_of(*samples[:5]).merged(histogram_of(*samples[5:]))
    assert whole.width == merged.width
    np.testing.assert_array_equal(whole.counts, merged.counts)


def test_a_value_is_counted_in_the_bin_that_holds_it():
    values = np.float32([-3.2, -1.0, 0.0, 0.4, 1.0, 3.9])
    histogram = histogram_of(values)
    centres = np.repeat(histogram.centres(), histogram.counts)
    assert histogram.total == values.size
    np.testing.assert_allclose(centres, values, atol=histogram.width)


def test_the_largest_value_is_in_the_outer_half_of_the_bins():
    for largest in (1e-30, 0.9, 1.0, 1.1, 2047.9, 2048.0, 1e30):
        used = np.flatnonzero(histogram_of(np.float32([largest])).counts)[0] - HALF
        assert HALF // 2 <= used < HALF


def test_memory_does_not_grow_with_samples():
    statistics = Statistics(1)
    random = np.random.default_rng(0)
    for _ in range(500):
        values = random.standard_normal(50).astype(np.float32)
        statistics.add(Extremes(values.min(keepdims=True), values.max(keepdims=True)), [values])
    assert statistics.histograms[0].counts.shape == (2 * HALF,)
    assert statistics.histograms[0].total == 500 * 50


def test_more_values_than_four_bytes_count_are_counted():
    histogram, values = Histogram(), np.float32([0.5] * 3)
    histogram.add(values, 1.0)
    histogram.counts *= np.uint32(2**32 // 3)
    histogram.total *= 2**32 // 3
    histogram.add(values, 1.0)
    histogram.add(values, 1.0)
    assert histogram.counts.sum() == histogram.total == 3 * (2**32 // 3) + 6


@pytest.mark.parametrize("seed", range(10))
def test_the_mean_of_extremes_does_not_depend_on_the_order_of_samples(seed):
    random = np.random.default_rng(seed)
    addends = (10.0 ** random.uniform(-38, 38, (60, 3)) * random.choice([-1, 1], (60, 3))).astype(np.float32)
    means = []
    for order in (range(60), random.permutation(60)):
        sums = ExactSums(3)
        for at in order:
            sums.add(addends[at])
        means.append(sums.mean(60))
    np.testing.assert_array_equal(*means)


def test_exact_sums_are_exact():
    sums = ExactSums(2)
    for addend in ([1e30, 1e-45], [1.0, 0.0], [-1e30, 1e-45]):
        sums.add(np.float32(addend))
    np.testing.assert_array_equal(sums.mean(1), np.float32([1.0, 3e-45]))


@pytest.mark.parametrize("shape", [(1, 112, 112, 96), (1, 64, 64, 1), (3, 5000), (1, 1, 70000), (2, 4, 4, 8), ()])
def test_a_fixed_part_of_a_large_tensor_is_counted_all_channels_alike(shape):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    part = counted_part(values)
    assert part.size == values.size or COUNTED_VALUES // 4 <= part.size <= 2 * COUNTED_VALUES
    if len(shape) == 4:
        channels = np.bincount((part % shape[-1]).astype(int), minlength=shape[-1])
        assert channels.min() == channels.max() > 0


def test_the_part_that_is_counted_stands_in_every_column_of_a_picture():
    values = np.broadcast_to(np.arange(112, dtype=np.float32)[None, None, :, None], (1, 112, 112, 96))
    assert np.unique(counted_part(np.ascontiguousarray(values))).size > 50
