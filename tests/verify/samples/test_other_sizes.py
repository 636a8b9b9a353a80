"""Further sizes of dynamic axes: within what is possible, no squares, made of the samples that are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from verify.batches import batch_name, batch_paths, read_batch, write_batch
from verify.samples import InputSpec
from verify.samples.axes import other_sizes, write_other_sizes
from verify.signature import DynamicAxis

PICTURE = InputSpec("image", ("N", 3, "H", "W"), sizes=(1, 3, 224, 224))
TOKENS = InputSpec("ids", ("N", "T"), "int64", 0, 9)
MASK = InputSpec("mask", ("N", "T"), "bool")


def test_nothing_dynamic_but_the_batch_gives_no_other_size() -> None:
    assert other_sizes((InputSpec("image", ("N", 3, 32, 32)),), ()) == ()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (DynamicAxis("H"), (168, 280)),
        (DynamicAxis("H", multiple_of=32), (160, 288)),
        (DynamicAxis("H", multiple_of=32, offset=1), (161, 289)),
        (DynamicAxis("H", least=200), (224, 280)),
    ],
)
def test_a_smaller_and_a_larger_size_keep_what_torch_said_of_the_axis(
    rule: DynamicAxis, expected: tuple[int, int]
) -> None:
    sizes = other_sizes((PICTURE,), (rule, DynamicAxis("W")))
    assert tuple(dict(each)["H"] for each in sizes) == expected


def test_the_larger_picture_is_no_square() -> None:
    larger = dict(other_sizes((PICTURE,), (DynamicAxis("H"), DynamicAxis("W")))[1])
    assert larger["H"] > 224
    assert larger["W"] > larger["H"]


def test_of_an_axis_nothing_is_known_of_multiples_are_kept_that_the_first_size_has() -> None:
    (smaller, larger) = other_sizes((PICTURE,), ())
    assert [size % 32 for _, size in (*smaller, *larger)] == [0, 0, 0, 0]


def test_one_name_has_one_size_in_all_inputs_and_samples_go_on_from_their_start(tmp_path: Path) -> None:
    for index, count in enumerate((1, 2, 5)):
        ids = np.arange(16 * count).reshape(count, 16) % 10
        write_batch(tmp_path / batch_name(index), {"ids": ids, "mask": ids > 4})

    write_other_sizes(tmp_path, (TOKENS, MASK), other_sizes((TOKENS, MASK), ()))

    smaller = read_batch(batch_paths(tmp_path)[-1])
    larger = read_batch(batch_paths(tmp_path)[-1])
    assert len(batch_paths(tmp_path)) > 3
    assert smaller["ids"].shape == smaller["mask"].shape
    np.testing.assert_array_equal(larger["ids"][:, 16:], larger["ids"][:, : larger["ids"].shape[1] - 16])
