"""Samples from the user's own code: ``package.module:name`` or ``file.py:name``. Runs in a worker."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from verify.errors import SamplesInvalid
from verify.report.types import Refusal
from verify.samples.fit import Array, Sample, as_input
from verify.samples.source import CallableSamples
from verify.samples.spec import InputSpec

MOST_SAMPLES = 4096
"""Where an endless generator is cut."""


class CallableReader:
    """Calls the user's function afresh for every pass; what it yields must be the same each time."""

    rejections: tuple[Refusal, ...] = ()

    def __init__(self, source: CallableSamples, inputs: tuple[InputSpec, ...]) -> None:
        self._target = source.target
        self._inputs = inputs
        self._make = _resolve(source.target)
        self._count: int | None = None

    @property
    def count(self) -> int:
        """How many samples there are; the first time, one pass over them (nothing is kept)."""
        if self._count is None:
            self._count = sum(1 for _ in self._all())
        return self._count

    @property
    def description(self) -> str:
        """``samples from data.py:calibration``."""
        return f"samples from {self._target}"

    def read(self, indices: Iterable[int]) -> Iterator[Sample]:
        """The samples of these indices, in the order in which the code yields them."""
        wanted = set(indices)
        last = max(wanted, default=-1)
        for index, sample in enumerate(itertools.islice(self._all(), last + 1)):
            if index in wanted:
                yield sample

    def _all(self) -> Iterator[Sample]:
        return itertools.islice(self._unbounded(), MOST_SAMPLES)

    def _unbounded(self) -> Iterator[Sample]:
        yielded = self._yielded()
        for position in itertools.count():
            try:
                value = next(yielded)
            except StopIteration:
                return
            except Exception as error:  # the user's code may raise anything
                raise self._failed(error) from error
            yield from as_samples(self._inputs, value, f"{self._target}, item {position}")

    def _yielded(self) -> Iterator[Any]:
        try:
            return iter(self._make() if callable(self._make) else self._make)
        except Exception as error:  # the user's code may raise anything
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> SamplesInvalid:
        return SamplesInvalid(
            f"{self._target} raised {type(error).__name__}: {error}",
            fix="it must be callable without arguments and give an iterable of samples; the log has the traceback",
        )


def as_samples(inputs: tuple[InputSpec, ...], value: Any, origin: str) -> Iterator[Sample]:
    """One sample (no batch axis) or a batch of them: the rank tells, and all inputs must agree."""
    arrays = _by_input(inputs, value, origin)
    batched = {
        spec.name: array if array.ndim == len(spec.shape) else array[None]
        for spec, array in ((spec, arrays[spec.name]) for spec in inputs)
    }
    checked = {spec.name: as_input(spec, batched[spec.name], origin) for spec in inputs}
    sizes = {array.shape[0] for array in checked.values()}
    if len(sizes) != 1:
        raise SamplesInvalid(f"{origin}: inputs have different batch sizes, {sorted(sizes)}")
    for index in range(sizes.pop()):
        yield {name: array[index : index + 1] for name, array in checked.items()}


def _by_input(inputs: tuple[InputSpec, ...], value: Any, origin: str) -> dict[str, Array]:
    names = [spec.name for spec in inputs]
    if isinstance(value, Mapping):
        named = dict(value)
    else:
        parts = list(value) if isinstance(value, (tuple, list)) else [value]
        if len(parts) != len(names):
            raise SamplesInvalid(f"{origin}: gave {len(parts)} arrays, expected {len(names)}: {', '.join(names)}")
        named = dict(zip(names, parts, strict=True))
    missing = [name for name in names if name not in named]
    if missing:
        raise SamplesInvalid(
            f"{origin}: has no {missing[0]}; it gave {', '.join(map(str, named)) or 'nothing'}",
            fix=f"yield dicts with the keys {', '.join(names)}",
        )
    return {name: _as_array(named[name]) for name in names}


def _as_array(value: Any) -> Array:
    detached = value.detach().cpu() if hasattr(value, "detach") else value
    array: Array = np.asarray(detached)
    return array


def _resolve(target: str) -> Any:
    place, _, name = target.rpartition(":")
    try:
        module = _module_from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except Exception as error:  # importing the user's code may raise anything
        raise SamplesInvalid(
            f"{place} cannot be imported for samples: {type(error).__name__}: {error}",
            fix="run it by itself first: python -c 'import …'",
        ) from error
    if not hasattr(module, name):
        raise SamplesInvalid(f"{place} has no {name!r}", fix=f"define a function {name}() that yields samples")
    return getattr(module, name)


def _module_from_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
