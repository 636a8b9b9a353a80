"""What enters the layers of the float model on average, at the places that corrections look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quantize.calibration.lanes import Lane, in_lanes
from quantize.correction.layers import Floats, Stored, some_rows
from quantize.correction.unpacked import Weighted
from verify.runners.base import Batch
from verify.runners.tflite_file import open_model, tensor_map


@dataclass(frozen=True)
class Looked:
    """A layer, the shape of its weights, and how many rows of what enters it are looked at in each sample."""

    op: Weighted
    weights: tuple[int, ...]
    rows: int


def entering_means(model: Path, layers: Mapping[str, Looked], samples: Sequence[Batch]) -> dict[str, Floats]:
    """(groups, 1, inputs) of each layer, over all samples."""
    with open_model(model) as opened:
        names = tensor_map(opened)

    def look(lane: Lane, _number: int, _sample: Batch) -> list[tuple[Floats, int]]:
        rows = [
            some_rows(each.op, each.weights, [lane.values(name, each.op.input)], Stored(), each.rows)
            for name, each in layers.items()
        ]
        return [(each.sum(axis=1, keepdims=True), each.shape[1]) for each in rows]

    tensors = sorted({each.op.input for each in layers.values()})
    found = list(in_lanes(model, names, tensors, samples, look))
    return {name: _mean([sample[at] for sample in found]) for at, name in enumerate(layers)}


def _mean(parts: Sequence[tuple[Floats, int]]) -> Floats:
    """Of sums, each with how many were summed."""
    total: Floats = np.sum([each for each, _ in parts], axis=0)
    return total / np.float32(sum(count for _, count in parts))
