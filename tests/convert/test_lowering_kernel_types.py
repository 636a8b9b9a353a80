"""Element types without TFLite kernels: computed wider, and back in their own type as ONNX says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from both_roads import run_node

from verify.worker import Worker


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "uint32"])
@pytest.mark.parametrize(("op", "function"), [("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply)])
def test_integers_wrap_in_their_own_type(
    worker: Worker, tmp_path: Path, op: str, function: np.ufunc, dtype: str
) -> None:
    limits = np.iinfo(dtype)
    edges = np.array([limits.min, limits.min + 1, limits.max - 1, limits.max, 0, 1, 2, 77 % limits.max], dtype)
    x, y = (each.reshape(-1).copy() for each in np.meshgrid(edges, edges))

    for actual in run_node(worker, tmp_path, op, {"x": x, "z": y}, [len(x)]):
        np.testing.assert_array_equal(actual, function(x, y))


@pytest.mark.parametrize(("op", "function"), [("Add", np.add), ("Mul", np.multiply), ("Div", np.divide)])
def test_float16_arithmetic_is_rounded_once(worker: Worker, tmp_path: Path, op: str, function: np.ufunc) -> None:
    random = np.random.default_rng(0)
    x, y = (random.standard_normal(5000).astype(np.float16) for _ in range(2))

    for actual in run_node(worker, tmp_path, op, {"x": x, "z": y}, [len(x)]):
        np.testing.assert_array_equal(actual, function(x, y))


def test_int32_division_truncates_towards_zero(worker: Worker, tmp_path: Path) -> None:
    x, y = np.array([7, -7, 7, -7, 6, -6, 0], np.int32), np.array([2, 2, -2, -2, 3, 3, 5], np.int32)

    for actual in run_node(worker, tmp_path, "Div", {"x": x, "z": y}, [len(x)]):
        np.testing.assert_array_equal(actual, [3, -3, -3, 3, 2, -2, 0])


def test_int64_division_is_exact_over_its_whole_range(worker: Worker, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.integers(-(2**63), 2**63 - 1, 4000) >> random.integers(0, 62, 4000)
    y = random.integers(-(2**63), 2**63 - 1, 4000) >> random.integers(0, 62, 4000)
    y = np.where(y == 0, 7, y)
    expected = np.array(
        [abs(int(a)) // abs(int(b)) * (1 if (a < 0) == (b < 0) else -1) for a, b in zip(x, y, strict=True)]
    )
    fits = np.abs(expected.astype(np.float64)) < 2.0**62
    x, y, expected = x[fits], y[fits], expected[fits].astype(np.int64)

    for actual in run_node(worker, tmp_path, "Div", {"x": x, "z": y}, [len(x)]):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "uint32"])
def test_integers_are_padded_and_transposed_in_their_own_type(worker: Worker, tmp_path: Path, dtype: str) -> None:
    limits = np.iinfo(dtype)
    x = np.array([[limits.min, limits.max, 3], [4, 5, limits.max - 1]], dtype)

    for actual in run_node(worker, tmp_path, "Transpose", {"x": x}, [3, 2], perm=[1, 0]):
        np.testing.assert_array_equal(actual, x.T)
    pads = {"x": x, "pads": np.array([1, 0, 0, 2], np.int64)}
    for actual in run_node(worker, tmp_path, "Pad", pads, [3, 5], constants=("pads",)):
        np.testing.assert_array_equal(actual, np.pad(x, [(1, 0), (0, 2)]))


@pytest.mark.parametrize(
    ("op", "function"), [("BitwiseAnd", np.bitwise_and), ("BitwiseOr", np.bitwise_or), ("BitwiseXor", np.bitwise_xor)]
)
@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32"])
def test_bitwise_ops_are_right_on_every_bit(
    worker: Worker, tmp_path: Path, op: str, function: np.ufunc, dtype: str
) -> None:
    limits = np.iinfo(dtype)
    random = np.random.default_rng(0)
    x, y = (random.integers(limits.min, limits.max, 2000, dtype, endpoint=True) for _ in range(2))

    for actual in run_node(worker, tmp_path, op, {"x": x, "z": y}, [len(x)]):
        np.testing.assert_array_equal(actual, function(x, y))
