"""Functions that TFLite has no kernel for, by the formulas that stand in for them, against float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from both_roads import run_node

from verify.worker import Worker

EVERYWHERE = np.concatenate([np.geomspace(1e-30, 80, 4000), [0.0]])
INSIDE = np.concatenate([np.geomspace(1e-30, 1, 3000), 1 - np.geomspace(1e-6, 0.5, 1000)])
FUNCTIONS: dict[str, tuple[Callable[[float], float], np.ndarray]] = {
    "Asin": (math.asin, INSIDE),
    "Acos": (math.acos, INSIDE),
    "Atan": (math.atan, EVERYWHERE),
    "Sinh": (math.sinh, EVERYWHERE),
    "Cosh": (math.cosh, EVERYWHERE),
    "Asinh": (math.asinh, np.concatenate([EVERYWHERE, np.geomspace(80, 1e37, 500)])),
    "Atanh": (math.atanh, INSIDE[INSIDE < 0.999999]),
    "Acosh": (math.acosh, np.concatenate([1 + np.geomspace(1e-6, 10, 2000), np.geomspace(10, 1e37, 500)])),
    "Tan": (math.tan, np.linspace(-1.5, 1.5, 4001)),
}
ULP = 2.0**-23
AS_THE_KERNELS_BELOW = {"Sinh": 40, "Cosh": 40, "Tan": 30}
"""exp of large numbers, and cos near its zeros, are no better than that in LiteRT and in TensorFlow themselves."""


@pytest.mark.parametrize("op", sorted(FUNCTIONS))
def test_formulas_are_right_to_a_few_units_in_the_last_place(worker: Worker, tmp_path: Path, op: str) -> None:
    function, points = FUNCTIONS[op]
    signed = np.concatenate([points, -points]) if op not in ("Acosh", "Tan") else points
    x = signed.astype(np.float32)
    expected = np.array([function(float(value)) for value in x])

    for actual in run_node(worker, tmp_path, op, {"x": x}, [len(x)]):
        error = np.abs(actual - expected)
        assert np.max(error[expected != 0] / np.abs(expected[expected != 0])) <= AS_THE_KERNELS_BELOW.get(op, 6) * ULP
        assert np.all(actual[expected == 0] == 0)


def test_erf_is_right_to_a_few_ten_millionths(worker: Worker, tmp_path: Path) -> None:
    x = np.linspace(-6, 6, 20001).astype(np.float32)
    expected = np.array([math.erf(float(value)) for value in x])

    for actual in run_node(worker, tmp_path, "Erf", {"x": x}, [len(x)]):
        assert np.max(np.abs(actual - expected)) <= 2.5e-7
