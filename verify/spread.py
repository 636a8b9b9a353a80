"""How far a runtime is from itself: the same samples alone instead of in a batch, on one thread instead of several.

PyTorch's spread widens the floor that float64 gives, as that of any other runtime does.

And how far from what it gives for the same samples but for one rounding: that draws all roundings anew, and shows how
much the model amplifies them (as stochastic arithmetic does: Vignes, Math. Comput. Simul. 35, 1993).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from verify.artifact import Artifact
from verify.batches import Array, batch_paths, read_batch
from verify.machine_fault import machine_fault
from verify.metrics import ErrorSums
from verify.model import ModelSource
from verify.runners import open_runner
from verify.runners.base import Batch
from verify.runners.feed import stored_inputs, torch_outputs
from verify.tolerance import FLOAT_MARGIN, OutputFloor, finite_sums

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


def measure_torch_spread(
    *, source: ModelSource, output_names: tuple[str, ...], batches: Path, outputs: Path
) -> tuple[Spread, ...]:
    """Job: the same of a PyTorch model, whose ``outputs`` it gave in float32 on as many threads as torch takes."""
    from verify.checkpoint import open_model
    from verify.runners.torch_runner import Reference, TorchRunner

    opened = open_model(source)
    names = output_names or opened.description.output_names
    reference = Reference(opened.module, tuple(spec.name for spec in opened.description.inputs), names)
    with _one_torch_thread(), TorchRunner(reference, "float32") as runner:
        return _spreads(runner.infer, _parts(batches, outputs))


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
    with open_runner(artifact, threads=threads) as runner:
        return _spreads(
            lambda inputs: torch_outputs(runner.signature, runner.infer(stored_inputs(runner.signature, inputs))), parts
        )


def _spreads(infer: Callable[[Batch], dict[str, Array]], parts: Sequence[Part]) -> tuple[Spread, ...]:
    """What a model cannot be run on (a sample alone, where its batch is fixed) says nothing."""
    sums: dict[str, ErrorSums] = {}
    for inputs, expected in parts:
        try:
            given = infer(inputs)
        except Exception as error:  # a PyTorch model raises whatever its code does
            fault = machine_fault(error, "inference")
            if fault is not None or isinstance(error, OSError):
                raise fault or error from error
            continue
        for name in given.keys() & expected.keys():
            if given[name].shape == expected[name].shape and given[name].dtype.kind == "f":
                sums[name] = sums.get(name, ErrorSums()) + finite_sums(expected[name], given[name])
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
        if spread is None:
            wider.append(floor)
        elif spread.rms <= floor.rms and spread.max_abs <= floor.max_abs:
            wider.append(replace(floor, basis=_told(floor.basis, "more than")))
        elif spread.rms <= margin * floor.rms and spread.max_abs <= margin * floor.max_abs:
            larger = replace(floor, rms=max(floor.rms, spread.rms), max_abs=max(floor.max_abs, spread.max_abs))
            wider.append(replace(larger, basis=_told(floor.basis, "widened to")))
        else:
            wider.append(floor)
            notes.append(
                f"{floor.name} of a sample alone and in a batch differ by up to {spread.max_abs:.3g}, "
                f"{spread.max_abs / floor.max_abs if floor.max_abs else float('inf'):.3g} noise floors: "
                "the samples of a batch influence each other"
            )
    return tuple(wider), tuple(notes)


def _told(basis: str, standing: str) -> str:
    """Once: a graph's floor may hold the spread of its own runtime already."""
    return basis if BASIS in basis else f"{basis}, {standing} {BASIS}"


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
    """Inputs and outputs of single samples out of the largest of the first batches, or whole batches of one."""
    paths = [path for path in batch_paths(batches) if (outputs / path.name).is_file()][:MOST_SAMPLES]
    if not paths:
        return []
    largest = max(paths, key=lambda path: _size(read_batch(path)))
    inputs, expected = read_batch(largest), read_batch(outputs / largest.name)
    size = _size(inputs)
    if size == 1:
        return [(read_batch(path), read_batch(outputs / path.name)) for path in paths]
    return [(_row(inputs, row, size), _row(expected, row, size)) for row in range(min(size, MOST_SAMPLES))]


def _size(batch: Mapping[str, Array]) -> int:
    return max((len(array) for array in batch.values() if array.ndim), default=1)


def _row(batch: Mapping[str, Array], row: int, size: int) -> dict[str, Array]:
    return {name: array[row : row + 1] if array.ndim and len(array) == size else array for name, array in batch.items()}
