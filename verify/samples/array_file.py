"""Samples from ``.npz`` and ``.npy`` files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from verify.errors import SamplesInvalid
from verify.mapped_arrays import mapped_arrays
from verify.report.types import Refusal
from verify.samples.fit import Array, Sample, as_input, check_shape
from verify.samples.source import ArrayFile
from verify.samples.spec import InputSpec


class ArrayReader:
    """One array an input, mapped rather than read; compressed members of a ``.npz`` are read whole."""

    rejections: tuple[Refusal, ...] = ()

    def __init__(self, source: ArrayFile, inputs: tuple[InputSpec, ...]) -> None:
        self._path = source.path
        self._description = source.description
        self._inputs = inputs
        self._arrays = _by_input(_load(source.path), inputs, source.path)
        self.count = _common_length(self._arrays, source.path)

    @property
    def description(self) -> str:
        """``samples from data.npz``."""
        return self._description or f"samples from {self._path.name}"

    def read(self, indices: Iterable[int]) -> Iterator[Sample]:
        """The samples of these indices."""
        for index in indices:
            origin = f"{self._path}, sample {index}"
            yield {
                spec.name: as_input(spec, np.asarray(self._arrays[spec.name][index : index + 1]), origin)
                for spec in self._inputs
            }


def _load(path: Path) -> dict[str, Array]:
    try:
        if path.suffix == ".npy":
            return {"": np.load(path, mmap_mode="r", allow_pickle=False)}
        return mapped_arrays(path)
    except Exception as error:  # numpy and zipfile raise a dozen kinds for a damaged file, and ValueError for a pickle
        raise SamplesInvalid(
            f"{path} cannot be read as arrays: {error}",
            fix="write it with numpy.savez (plain arrays only: pickled objects are never loaded)",
        ) from error


def _by_input(arrays: dict[str, Array], inputs: tuple[InputSpec, ...], path: Path) -> dict[str, Array]:
    if len(inputs) == 1 and len(arrays) == 1:
        arrays = {inputs[0].name: next(iter(arrays.values()))}
    missing = [spec.name for spec in inputs if spec.name not in arrays]
    if missing:
        given = ", ".join(name or "one unnamed array" for name in arrays) or "nothing"
        raise SamplesInvalid(
            f"{path} has no array for input {missing[0]}: the model takes {', '.join(spec.name for spec in inputs)}, "
            f"the file holds {given}",
            fix="numpy.savez(path, " + ", ".join(f"{spec.name}=…" for spec in inputs) + ")",
        )
    for spec in inputs:
        check_shape(spec, arrays[spec.name].shape, str(path))
    return {spec.name: arrays[spec.name] for spec in inputs}


def _common_length(arrays: dict[str, Array], path: Path) -> int:
    lengths = {name: array.shape[0] for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise SamplesInvalid(f"{path}: the first axis counts samples, but its lengths differ: {listed}")
    return next(iter(lengths.values()))
