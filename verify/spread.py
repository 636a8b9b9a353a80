"""How far a runtime is from itself: the same samples alone instead of in a batch, on one thread instead of several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from verify.artifact import Artifact
from verify.batches import Array, batch_paths, read_batch
from verify.errors import ModelUnreadable
from verify.metrics import ErrorSums, error_sums
from verify.runners import open_runner
from verify.runners.feed import stored_inputs, torch_outputs
from verify.tolerance import FLOAT_MARGIN, OutputFloor

MOST_SAMPLES = 3
BASIS = "its spread over threads and batch sizes"


@dataclass(frozen=True)
class Spread:
    """Of one output: the RMS and the largest difference between two runs of the same samples."""

    output: str
    rms: float
    max_abs: float


def measure_spread(artifact: Artifact, batches: Path, outputs: Path) -> tuple[Spread, ...]:
    """Job: run a few samples one by one on one thread and compare with what they gave in their batches.

    ``outputs`` hold what the batches gave. A model that takes no single sample is compared on whole batches.
    """
    sums: dict[str, ErrorSums] = {}
    with open_runner(artifact, threads=1) as runner:
        for inputs, expected in _parts(batches, outputs):
            try:
                given = torch_outputs(runner.signature, runner.infer(stored_inputs(runner.signature, inputs)))
            except ModelUnreadable:
                continue
            for name in given.keys() & expected.keys():
                if given[name].shape == expected[name].shape and given[name].dtype.kind == "f":
                    sums[name] = sums.get(name, ErrorSums()) + error_sums(expected[name], given[name])
    return tuple(Spread(name, total.rms_error, total.max_abs_error) for name, total in sums.items())


def widened_by(
    floors: tuple[OutputFloor, ...], spreads: tuple[Spread, ...], margin: float = FLOAT_MARGIN
) -> tuple[tuple[OutputFloor, ...], tuple[str, ...]]:
    """Floors no lower than the spread, and what is wrong with spreads that no rounding makes.

    A spread beyond the margin is no noise: the samples of a batch influence each other. It widens nothing.
    """
    found = {spread.output: spread for spread in spreads}
    wider, notes = [], []
    for floor in floors:
        spread = found.get(floor.name)
        if spread is None or (spread.rms <= floor.rms and spread.max_abs <= floor.max_abs):
            wider.append(floor)
        elif spread.rms <= margin * floor.rms and spread.max_abs <= margin * floor.max_abs:
            larger = replace(floor, rms=max(floor.rms, spread.rms), max_abs=max(floor.max_abs, spread.max_abs))
            wider.append(replace(larger, basis=f"{floor.basis}, and {BASIS}"))
        else:
            wider.append(floor)
            notes.append(
                f"{floor.name} of a sample alone and in a batch differ by up to {spread.max_abs:.3g}, "
                f"{spread.max_abs / floor.max_abs if floor.max_abs else float('inf'):.3g} noise floors: "
                "the samples of a batch influence each other"
            )
    return tuple(wider), tuple(notes)


def _parts(batches: Path, outputs: Path) -> list[tuple[dict[str, Array], dict[str, Array]]]:
    """Inputs and outputs of single samples out of the first batch that has several; of whole batches where none has."""
    paths = [path for path in batch_paths(batches) if (outputs / path.name).is_file()]
    several = next((path for path in paths if _size(read_batch(path)) > 1), None)
    if several is None:
        return [(read_batch(path), read_batch(outputs / path.name)) for path in paths[:MOST_SAMPLES]]
    inputs, expected = read_batch(several), read_batch(outputs / several.name)
    size = _size(inputs)
    return [(_row(inputs, row, size), _row(expected, row, size)) for row in range(min(size, MOST_SAMPLES))]


def _size(batch: Mapping[str, Array]) -> int:
    return max((len(array) for array in batch.values() if array.ndim), default=1)


def _row(batch: Mapping[str, Array], row: int, size: int) -> dict[str, Array]:
    return {name: array[row : row + 1] if array.ndim and len(array) == size else array for name, array in batch.items()}
