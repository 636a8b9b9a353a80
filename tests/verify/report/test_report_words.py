"""Numbers as people read them."""

from __future__ import annotations

import pytest

from verify.report import words
from verify.signature import TensorSpec


@pytest.mark.parametrize(
    ("bytes_", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (999_600, "1.00 MB"), (46_764_412, "46.8 MB"), (1.25e9, "1.25 GB")],
)
def test_sizes_have_three_digits_and_a_unit(bytes_, text):
    assert words.size(bytes_) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.127, "0.127"),
        (9.996, "10.0"),
        (1234.5, "1,234"),
        (3.14e-6, "3.1e-6"),
        (2.0e11, "2.0e11"),
        (None, "–"),
    ],
)
def test_errors_read_at_any_magnitude(value, text):
    assert words.error(value) == text


@pytest.mark.parametrize(("share", "text"), [(1.0, "100 %"), (0.9999, "99.9 %"), (0.984375, "98.4 %"), (0.0, "0.0 %")])
def test_a_hundred_percent_is_said_only_when_it_is_all(share, text):
    assert words.percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.04, "0.0 s"), (12.34, "12.3 s"), (99.97, "1 min 40 s"), (125, "2 min 05 s")]
)
def test_durations_go_over_to_minutes(value, text):
    assert words.seconds(value) == text


@pytest.mark.parametrize(
    ("shape", "permutation", "text"),
    [
        (("N", 224, 224, 3), (0, 2, 3, 1), "NHWC"),
        (("N", 3, 224, 224), None, "NCHW"),
        (("N", 8, 32, 32, 3), (0, 2, 3, 4, 1), "NDHWC"),
        (("N", 12), None, "as PyTorch"),
        (("N", 16, 12), (0, 2, 1), "axes 0, 2, 1 of PyTorch’s"),
    ],
)
def test_layouts_are_named_by_letters_where_there_are_any(shape, permutation, text):
    assert words.layout(TensorSpec("x", "float32", shape, permutation)) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (12.41, "12.4 ms"), (0.03142, "0.031 ms"), (1500, "1,500 ms")]
)
def test_latencies_are_in_milliseconds(value, text):
    assert words.milliseconds(value) == text


def test_control_characters_are_spelled_out():
    assert words.printable("a\x1b[31mb\nc\u202ed\udc80 é→") == r"a\x1b[31mb\nc\u202ed\udc80 é→"
