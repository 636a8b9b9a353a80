"""Every tensor of a model for a few samples, on disk: no model's tensors are all in memory at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from verify.artifact import Artifact
from verify.batches import Array, batch_paths, read_batch
from verify.errors import OpNotRunnable, SamplesInvalid
from verify.localise.graph import Graph
from verify.localise.steps import Steps, Values


class TensorStore:
    """Arrays by key, one file each."""

    def __init__(self, folder: Path, numbers: Mapping[str, int] | None = None) -> None:
        """``numbers`` are those of the arrays that are there already."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._numbers: dict[str, int] = dict(numbers or {})

    @property
    def numbers(self) -> Mapping[str, int]:
        """Of the file of each key."""
        return self._numbers

    def __getitem__(self, key: str) -> Values:
        """Mapped, not read: it costs memory only while it is used."""
        loaded: Values = np.load(self._path(key), mmap_mode="r")
        return loaded

    def get(self, key: str) -> Values | None:
        """The array of that key, if there is one."""
        return self[key] if key in self._numbers else None

    def keep(self, key: str, values: Values) -> None:
        """Write an array, over the one of that key."""
        self._numbers.setdefault(key, len(self._numbers))
        np.save(self._path(key), values)

    def keep_sample(self, key: str, sample: int, count: int, values: Values) -> None:
        """Write one sample's values of an array of ``count``; raises ``SamplesInvalid`` if its shape is another's."""
        self._numbers.setdefault(key, len(self._numbers))
        new = {"mode": "w+", "dtype": values.dtype, "shape": (count, *values.shape)}
        array: Values = open_memmap(self._path(key), **({"mode": "r+"} if sample else new))  # type: ignore[no-untyped-call]
        if array.shape[1:] != values.shape:
            raise SamplesInvalid(
                f"a tensor of the model is {array.shape[1:]} for one sample and {values.shape} for another: "
                "layers are compared on samples of one shape"
            )
        array[sample] = values

    def _path(self, key: str) -> Path:
        return self._folder / f"{self._numbers[key]}.npy"


@dataclass
class Recording:
    """The tensors of one model, real-valued, ``(samples, *shape)``; ``dtypes`` are those that it stores."""

    graph: Graph
    tensors: TensorStore
    dtypes: dict[str, np.dtype[np.generic]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Op that could not be run, as ``CONV_2D 3`` → why."""

    def keep(self, tensor: str, stored: Values, real: Values) -> None:
        """Write a tensor's values."""
        self.dtypes[tensor] = stored.dtype
        self.tensors.keep(tensor, real)


def samples_of(artifact: Artifact, batches: Path, names: Mapping[str, str], count: int) -> dict[str, Values]:
    """The first samples of a folder of batches as the model stores them: ``(count, 1, …)``, or its own batch size.

    ``names`` leads from the folder's names of inputs to the model's, where they differ.
    """
    specs = {spec.name: spec for spec in artifact.signature.inputs}
    sizes = {spec.shape[0] for spec in specs.values() if spec.shape and isinstance(spec.shape[0], int)}
    size = max((size for size in sizes if isinstance(size, int)), default=1)
    found: list[dict[str, Array]] = []
    shapes: set[tuple[tuple[int, ...], ...]] = set()
    for sample in _samples(batches, size):
        stored = {names.get(name, name): array for name, array in sample.items()}
        fed = {name: spec.from_torch(stored[name]) for name, spec in specs.items()}
        shapes = shapes or {tuple(array.shape for array in fed.values())}
        if tuple(array.shape for array in fed.values()) in shapes:
            found.append(fed)
        if len(found) == count:
            break
    if not found:
        raise SamplesInvalid(f"{batches} holds no batch of {size} samples: expected at least one to compare layers on")
    return {name: np.stack([sample[name] for sample in found]) for name in specs}


def _samples(batches: Path, size: int) -> Iterator[dict[str, Array]]:
    for path in batch_paths(batches):
        batch = read_batch(path)
        length = max((len(array) for array in batch.values() if array.ndim), default=1)
        for start in range(0, length - size + 1, size):
            yield {name: array[start : start + size] if array.ndim else array for name, array in batch.items()}


def record(steps: Steps, inputs: Mapping[str, Values], folder: Path) -> Recording:
    """Run a model op by op on samples and keep every tensor; what cannot be run, and what needs it, is missing."""
    graph = steps.graph
    recording = Recording(graph, TensorStore(folder))
    count = max(map(len, inputs.values()), default=1)
    live = {graph.inputs[name]: values for name, values in inputs.items()}
    for tensor, values in live.items():
        recording.keep(tensor, values, steps.real(tensor, values))
    readers = Counter(tensor for op in graph.ops for tensor in op.inputs)
    for op in graph.ops:
        if all(tensor in live for tensor in op.inputs):
            try:
                given = steps.run(op, {tensor: live[tensor] for tensor in op.inputs})
            except OpNotRunnable as error:
                recording.missing[f"{op.kind} {op.index}"] = error.what
                given = {}
            for tensor, values in given.items():
                live[tensor] = for_all(values, count)
                recording.keep(tensor, live[tensor], steps.real(tensor, live[tensor]))
        for tensor in op.inputs:
            readers[tensor] -= 1
            if not readers[tensor]:
                live.pop(tensor, None)
    return recording


def for_all(values: Values, count: int) -> Values:
    """What an op without computed inputs gives once, as what it gives for each sample."""
    return values if len(values) == count else np.repeat(values[:1], count, axis=0)
