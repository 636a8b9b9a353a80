"""What is collected for plots: counts that add up, the true worst sample, and memory that does not grow."""

from __future__ import annotations

import base64
import dataclasses
import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from verify.batches import batch_name, write_batch
from verify.compare import compare_edge
from verify.report.input_pictures import MOST_PIXELS, picture_input
from verify.report.pictures import SCATTER_POINTS, PictureCollector
from verify.tolerance import QuantizedBudget


def _picture(batches, inputs=None, tmp_path=Path("nowhere")):
    collector = PictureCollector()
    for index, (expected, actual) in enumerate(batches):
        collector.note(expected, actual, batch_name(index))
        if inputs is not None:
            write_batch(tmp_path / batch_name(index), inputs[index])
    return collector.picture(tmp_path)


@given(
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    exponent=st.integers(-30, 30),
    seed=st.integers(0, 1000),
)
def test_every_value_is_counted_once(sizes, exponent, seed):
    random = np.random.default_rng(seed)
    batches = []
    for size in sizes:
        expected = random.normal(size=(size, 30))
        error = random.choice([0.0, 1.0, -1.0, np.nan, np.inf], (size, 30)) * 10.0**exponent
        batches.append((expected, expected + error))
    histogram = _picture(batches).histogram
    counted = sum(histogram.above) + sum(histogram.below) + histogram.equal + histogram.not_finite
    assert counted == sum(expected.size for expected, _ in batches)


def test_an_error_lies_in_the_bin_of_its_size_and_direction():
    histogram = _picture([(np.zeros((1, 4)), np.array([[3e-4, -3e-4, -3.1e-4, 0.02]]))]).histogram
    width = histogram.bins_per_decade
    above = {histogram.first_decade + index / width: n for index, n in enumerate(histogram.above) if n}
    below = {histogram.first_decade + index / width: n for index, n in enumerate(histogram.below) if n}
    assert [(low <= np.log10(size) < low + 1 / width) for low, size in zip(sorted(above), (3e-4, 0.02), strict=True)]
    assert list(above.values()) == [1, 1]
    assert sum(below.values()) == 2
    assert all(low <= np.log10(3.1e-4) < low + 2 / width for low in below)


def test_one_wild_value_in_a_million_is_in_the_scatter_and_the_worst_sample():
    random = np.random.default_rng(0)
    expected = random.normal(size=(100, 10_000))
    actual = expected.copy()
    actual[61, 1234] += 5
    picture = _picture([(expected[:40], actual[:40]), (expected[40:], actual[40:])])
    assert picture.scatter.worst_expected == (pytest.approx(expected[61, 1234]),)
    assert picture.worst.index == 61
    assert (picture.worst.batch, picture.worst.row) == ("batch_001.npz", 21)
    assert picture.worst.place == (1234,)
    assert picture.worst.actual - picture.worst.expected == pytest.approx(5)
    assert len(picture.scatter.expected) + len(picture.scatter.worst_expected) <= SCATTER_POINTS


def test_a_sample_with_a_nan_is_the_worst_whatever_the_others_err():
    expected = np.ones((3, 4))
    actual = expected.copy()
    actual[0] += 1e9
    actual[1, 2] = np.nan
    worst = _picture([(expected, actual)]).worst
    assert (worst.index, worst.place, worst.rms_error, worst.actual) == (1, (2,), None, None)


def test_the_scatter_is_a_uniform_sample_over_all_batches():
    batches = [(np.full((10, 1000), float(index)), np.full((10, 1000), float(index))) for index in range(10)]
    chosen = np.bincount(np.array(_picture(batches).scatter.expected, int), minlength=10)
    assert chosen.sum() == 460
    assert chosen.min() > 20, "46 of each are expected, 6.4 is the standard deviation"


def test_memory_does_not_grow_with_the_number_of_batches():
    collector = PictureCollector()
    random = np.random.default_rng(0)
    batch = random.normal(size=(8, 5000))

    def held_after(count: int) -> int:
        for index in range(count):
            collector.note(batch, batch + random.normal(size=batch.shape), batch_name(index))
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        few = held_after(3)
        assert held_after(40) - few < 20_000
    finally:
        tracemalloc.stop()


def test_large_outputs_are_read_in_blocks_and_come_out_the_same(monkeypatch):
    random = np.random.default_rng(3)
    expected = random.normal(size=(5, 7, 11)).astype(np.float32)
    actual = expected + random.normal(0, 1e-3, expected.shape).astype(np.float32)
    whole = _picture([(expected, actual)])
    for block in (1, 10, 77, 100):
        monkeypatch.setattr("verify.report.pictures._BLOCK_VALUES", block)
        blocks = _picture([(expected, actual)])
        assert blocks.histogram == whole.histogram
        assert blocks.scatter.worst_expected == whole.scatter.worst_expected
        assert dataclasses.replace(blocks.worst, rms_error=0) == dataclasses.replace(whole.worst, rms_error=0)
        assert blocks.worst.rms_error == pytest.approx(whole.worst.rms_error)


def test_a_scalar_output_has_a_picture():
    worst = _picture([(np.array(1.0), np.array(1.5)), (np.array(2.0), np.array(4.0))]).worst
    assert (worst.index, worst.place, worst.expected, worst.actual) == (1, (), 2.0, 4.0)


def test_an_output_of_many_megabytes_costs_a_few():
    expected = np.ones((2, 3_000_000), np.float32)
    actual = expected * np.float32(1.001)
    collector = PictureCollector()
    tracemalloc.start()
    try:
        collector.note(expected, actual, "batch_000.npz")
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()


def test_the_worst_samples_input_comes_along_as_an_image(tmp_path):
    image = np.zeros((2, 3, 200, 100), np.float32)
    image[1, 0] = 1  # red
    inputs = [{"image": image, "token": np.arange(40, dtype=np.int64).reshape(2, 20)}]
    expected = np.zeros((2, 3))
    actual = expected + np.array([[0.0], [1.0]])
    picture = _picture([(expected, actual)], inputs, tmp_path)
    shown, token = picture.worst.inputs
    decoded = Image.open(io.BytesIO(base64.b64decode(shown.png)))
    assert decoded.size == (34, 67)
    assert max(decoded.size) <= MOST_PIXELS
    assert decoded.getpixel((5, 5)) == (255, 0, 0)
    assert (shown.shape, shown.low, shown.high) == ((3, 200, 100), 0.0, 1.0)
    assert token.png is None
    assert token.values == tuple(range(20, 36))


@pytest.mark.parametrize(
    ("shape", "is_image"),
    [((3, 32, 32), True), ((1, 9, 9), True), ((12, 40), True), ((64, 8, 8), False), ((3, 2, 2), False), ((), False)],
)
def test_what_is_an_image_is_shown_as_one(shape, is_image):
    shown = picture_input("x", np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape))
    assert (shown.png is not None) == is_image


def test_a_value_that_is_not_finite_is_said_to_be(tmp_path):
    shown = picture_input("x", np.array([1.0, np.nan, -np.inf, 2.0]))
    assert shown.values == (1.0, None, None, 2.0)
    assert (shown.low, shown.high) == (1.0, 2.0)
    nothing = picture_input("x", np.full((3, 8, 8), np.nan))
    assert (nothing.png, nothing.low) == (None, None)


def test_a_comparison_is_pictured_only_when_its_inputs_are_given(tmp_path):
    random = np.random.default_rng(0)
    for index, size in enumerate((1, 2)):
        output = random.normal(size=(size, 5)).astype(np.float32)
        write_batch(tmp_path / "inputs" / batch_name(index), {"x": random.normal(size=(size, 3, 8, 8))})
        write_batch(tmp_path / "expected" / batch_name(index), {"y": output})
        write_batch(tmp_path / "actual" / batch_name(index), {"y": output + np.float32(0.01)})
    arguments = {
        "expected_name": "a",
        "actual_name": "b",
        "expected": tmp_path / "expected",
        "actual": tmp_path / "actual",
        "budget": QuantizedBudget(20),
        "sample_count": 3,
    }
    assert compare_edge(**arguments).outputs[0].picture is None
    picture = compare_edge(**arguments, inputs=tmp_path / "inputs").outputs[0].picture
    assert sum(picture.histogram.above) == 15
    assert picture.worst.inputs[0].png is not None
