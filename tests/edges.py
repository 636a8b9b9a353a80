"""Edges of small arrays: outputs of eight samples in batches of 1, 2 and 5, changed and compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from verify.batches import batch_name, write_batch
from verify.compare import compare_edge
from verify.report.types import EdgeReport
from verify.tolerance import Budget, FloatBudget, OutputFloor, QuantizedBudget

FLOOR = OutputFloor("y", rms=1e-6, max_abs=4e-6, basis="float32 against float64 PyTorch")
FLOAT = FloatBudget((FLOOR,))
QUANTIZED = QuantizedBudget(20.0)
SIZES = (1, 2, 5)

Batches = list[dict[str, np.ndarray]]


def outputs(classes: int = 6) -> Batches:
    random = np.random.default_rng(0)
    return [{"y": random.normal(0, 1, (size, classes)).astype(np.float32)} for size in SIZES]


def changed(change: Callable[[Batches], object], classes: int = 6) -> Batches:
    batches = outputs(classes)
    change(batches)
    return batches


def written(folder: Path, batches: Batches) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, batch in enumerate(batches):
        write_batch(folder / batch_name(index), batch)
    return folder


def compare(tmp_path: Path, expected: Batches, actual: Batches, budget: Budget = FLOAT, **options) -> EdgeReport:
    return compare_edge(
        expected_name="pytorch",
        actual_name="onnx",
        expected=written(tmp_path / "expected", expected),
        actual=written(tmp_path / "actual", actual),
        budget=budget,
        **{"sample_count": 8, **options},
    )
