"""How far a runtime is from itself: the same samples alone instead of in a batch, on one thread instead of several.

And how far from what it gives for the same samples but for one rounding: that draws all roundings anew, and shows how
much the model amplifies them (as stochastic arithmetic does: Vignes, Math. Comput. Simul. 35, 1993).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from verify.artifact import Artifact
from verify.batches import Array, batch_paths, read_batch
from verify.errors import ModelUnreadable
from verify.metrics import ErrorSums, error_sums
from verify.runners import open_runner
from verify.runners.feed import stored_inputs, torch_outputs
from verify.tolerance import FLOAT_MARGIN, OutputFloor

MOST_SAMPLES = 3
MOVED_BATCHES = 2
ROUNDING_OF_A_MOVE = 0.3
"""The RMS of a rounding, 0.42·2^-24, in that of a move to the next float."""
MOST_ALLOWED = 0.01
"""Of the output's RMS, 40 dB: a model that amplifies rounding beyond that cannot be told to be right."""
BASIS = "its spread over threads and batch sizes"


@dataclass(frozen=True)
class Spread:
    """Of one output: the RMS and the largest difference between two runs of the same samples."""

    output: str
    rms: float
    max_abs: float
    rms_output: float = 0.0
    """Of the output itself."""


def measure_spread(artifact: Artifact, batches: Path, outputs: Path) -> tuple[Spread, ...]:
    """Job: run a few samples one by one on one thread and compare with what they gave in their batches.

    ``outputs`` hold what the batches gave. A model that takes no single sample is compared on whole batches.
    """
    return _measure(artifact, _parts(batches, outputs), threads=1)


def measure_amplification(artifact: Artifact, batches: Path, outputs: Path) -> tuple[Spread, ...]:
    """Job: the same samples with every float input moved to one of the two floats beside it; nothing without any."""
    random = np.random.default_rng(0)
    moved = [
        ({name: _moved(array, random) for name, array in read_batch(path).items()}, read_batch(outputs / path.name))
        for path in batch_paths(batches)[:MOVED_BATCHES]
        if (outputs / path.name).is_file()
    ]
    if not any(array.dtype.kind == "f" for inputs, _ in moved for array in inputs.values()):
        return ()
    return _measure(artifact, moved, threads=None)


def _moved(array: Array, random: np.random.Generator) -> Array:
    if array.dtype.kind != "f":
        return array
    towards = np.where(random.random(array.shape) < 0.5, -np.inf, np.inf).astype(array.dtype)
    return np.asarray(np.nextafter(array, towards, dtype=array.dtype))


Part = tuple[dict[str, Array], dict[str, Array]]
"""Inputs, and the outputs they gave."""


def _measure(artifact: Artifact, parts: Sequence[Part], threads: int | None) -> tuple[Spread, ...]:
    sums: dict[str, ErrorSums] = {}
    with open_runner(artifact, threads=threads) as runner:
        for inputs, expected in parts:
            try:
                given = torch_outputs(runner.signature, runner.infer(stored_inputs(runner.signature, inputs)))
            except ModelUnreadable:
                continue
            for name in given.keys() & expected.keys():
                if given[name].shape == expected[name].shape and given[name].dtype.kind == "f":
                    sums[name] = sums.get(name, ErrorSums()) + error_sums(expected[name], given[name])
    return tuple(Spread(name, total.rms_error, total.max_abs_error, total.rms_expected) for name, total in sums.items())


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


def amplified_by(
    floors: tuple[OutputFloor, ...], spreads: tuple[Spread, ...], margin: float = FLOAT_MARGIN
) -> tuple[OutputFloor, ...]:
    """Floors of counted roundings, which take it that none is amplified, no lower than what one rounding makes.

    Never so wide that the margin would allow an error of more than ``MOST_ALLOWED`` of the output.
    """
    found = {spread.output: spread for spread in spreads}
    return tuple(_amplified(floor, found[floor.name], margin) if floor.name in found else floor for floor in floors)


def _amplified(floor: OutputFloor, spread: Spread, margin: float) -> OutputFloor:
    made = ROUNDING_OF_A_MOVE * spread.rms
    if made <= floor.rms:
        return floor
    factor = min(made / floor.rms, MOST_ALLOWED * spread.rms_output / (margin * floor.rms)) if floor.rms else 1.0
    if factor <= 1:
        return floor
    basis = f"{floor.basis}, times {factor:.3g} as the model amplifies one rounding of its inputs"
    return replace(floor, rms=factor * floor.rms, max_abs=factor * floor.max_abs, basis=basis)


def _parts(batches: Path, outputs: Path) -> list[Part]:
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
