"""Noise floors: measured where float64 can be run, bounded where not, never below one rounding."""

from __future__ import annotations

import numpy as np
import pytest

from verify.batches import batch_name, write_batch
from verify.errors import InfrastructureError
from verify.rounding.bound import UNIT_ROUNDOFF, Roundings
from verify.tolerance import (
    FloatBudget,
    measure_floors,
    quantized_budget,
    rounding_floors,
)


def _folders(tmp_path, error: float):
    random = np.random.default_rng(0)
    for index, size in enumerate((1, 2, 5)):
        exact = random.normal(0, 3, (size, 1000))
        noise = random.choice([-error, error], exact.shape)
        write_batch(tmp_path / "double" / batch_name(index), {"y": exact})
        write_batch(tmp_path / "single" / batch_name(index), {"y": exact + noise})
    return tmp_path / "single", tmp_path / "double"


def test_the_floor_is_the_error_of_float32(tmp_path):
    single, double = _folders(tmp_path, 1e-4)
    (floor,) = measure_floors(single, double)
    assert floor.name == "y"
    assert floor.rms == pytest.approx(1e-4)
    assert floor.max_abs == pytest.approx(1e-4)
    assert floor.basis == "float32 against float64 PyTorch"


def test_the_floor_is_never_below_one_rounding_of_the_output(tmp_path):
    single, double = _folders(tmp_path, 0.0)
    (floor,) = measure_floors(single, double)
    assert floor.rms == pytest.approx(3 * UNIT_ROUNDOFF, rel=0.05)
    assert floor.max_abs > floor.rms * 3


def test_the_floor_grows_with_outputs_that_are_larger_than_those_it_was_measured_on(tmp_path):
    single, double = _folders(tmp_path, 1e-4)
    (before,) = measure_floors(single, double)
    write_batch(single / batch_name(3), {"y": np.full((8, 1000), 90.0)})
    (after,) = measure_floors(single, double)
    assert after.rms == pytest.approx(1e-4 * np.sqrt((9 + 90**2) / 2) / 3, rel=0.02)
    assert after.max_abs == pytest.approx(before.max_abs * 90 / _largest(double))


def test_smaller_or_infinite_outputs_leave_the_floor_as_it_was_measured(tmp_path):
    single, double = _folders(tmp_path, 1e-4)
    measured = measure_floors(single, double)
    write_batch(single / batch_name(3), {"y": np.full((8, 1000), 1e-3)})
    assert measure_floors(single, double) == measured
    write_batch(single / batch_name(4), {"y": np.full((1, 1000), np.inf)})
    assert measure_floors(single, double) == measured


def _largest(folder):
    return max(np.abs(np.load(path)["y"]).max() for path in folder.glob("*.npz"))


def test_without_float64_the_floor_is_the_expected_size_of_the_roundings(tmp_path):
    single, _ = _folders(tmp_path, 0.0)
    (floor,) = rounding_floors(single, (Roundings("y", 400),))
    assert floor.rms == pytest.approx(0.3 * 20 * 3 * UNIT_ROUNDOFF, rel=0.05)
    assert floor.roundings == 400
    assert "400 roundings, no float64 reference" in FloatBudget((floor,)).phrase


def test_without_a_graph_the_floor_is_a_labelled_guess(tmp_path):
    single, _ = _folders(tmp_path, 0.0)
    (unknown,) = rounding_floors(single)
    (refused,) = rounding_floors(single, (Roundings("y", None, "how Loop rounds is not known"),))
    assert unknown.rms == refused.rms == pytest.approx(0.3 * 8192**0.5 * 3 * UNIT_ROUNDOFF, rel=0.05)
    assert "a guess without float64 or a graph" in FloatBudget((unknown,)).phrase
    assert "how Loop rounds is not known" in refused.basis


def test_infinities_of_a_mask_make_no_floor(tmp_path):
    single, double = _folders(tmp_path, 1e-4)
    measured, bounded = measure_floors(single, double), rounding_floors(single)
    for folder in (single, double):
        values = {"y": np.concatenate([np.load(folder / batch_name(1))["y"], np.full((2, 1000), -np.inf)])}
        write_batch(folder / batch_name(1), values)
    assert measure_floors(single, double) == measured
    assert rounding_floors(single) == bounded


def test_floors_of_different_outputs_are_refused(tmp_path):
    single, double = _folders(tmp_path, 0.0)
    write_batch(single / batch_name(1), {"z": np.ones(3)})
    with pytest.raises(InfrastructureError, match="different outputs"):
        measure_floors(single, double)


def test_budgets_are_stated_with_their_numbers():
    assert quantized_budget("float16").phrase == "at least 30 dB SQNR"
    assert quantized_budget("dynamic_int8", 18.5).phrase == "at least 18.5 dB SQNR"
    assert quantized_budget("int8", 18.5).phrase == "at least 18.5 dB SQNR"
    with pytest.raises(KeyError):
        quantized_budget("float32")
