"""Batches in which one input is another sample's: what does not move then does not heed that input."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verify.batches import batch_name, batch_paths, read_batch, write_batch


@dataclass(frozen=True)
class MixedInput:
    """``file`` is the batch ``base`` with ``input`` handed on by one sample."""

    input: str
    base: str
    file: str


def write_mixed_inputs(*, folder: Path, inputs: tuple[str, ...]) -> tuple[MixedInput, ...]:
    """Job: add a batch for each of several inputs, after those that are there; a sole input needs none.

    An input that is the same in every sample of the batch cannot be tried, nor can a model that takes single samples.
    """
    paths = batch_paths(folder)
    if len(inputs) < 2:
        return ()
    for path in paths:
        batch = read_batch(path)
        size = max((len(array) for array in batch.values() if array.ndim), default=1)
        handed_on = {
            name: np.roll(array, 1, axis=0)
            for name, array in batch.items()
            if name in inputs and array.ndim and len(array) == size > 1
        }
        changed = [name for name, array in handed_on.items() if not np.array_equal(array, batch[name])]
        if changed:
            break
    else:
        return ()
    mixed = tuple(MixedInput(name, path.name, batch_name(len(paths) + place)) for place, name in enumerate(changed))
    for each in mixed:
        write_batch(folder / each.file, {**batch, each.input: handed_on[each.input]})
    return mixed
