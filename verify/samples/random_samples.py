"""Seeded random samples: what is fed when the user names no data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from verify.errors import InputSpecInvalid
from verify.report.types import Refusal
from verify.samples.axes import default_sizes
from verify.samples.fit import Array, Sample
from verify.samples.source import RandomSamples
from verify.samples.spec import InputSpec
from verify.signature import Dim


class RandomReader:
    """Sample ``i`` is drawn from a generator of its own, so any subset is the same whatever else is read."""

    count = None
    rejections: tuple[Refusal, ...] = ()

    def __init__(self, source: RandomSamples, inputs: tuple[InputSpec, ...]) -> None:
        self._seed = source.seed
        self._inputs = inputs
        self._sizes = default_sizes(inputs)

    @property
    def description(self) -> str:
        """``random samples (seed 0)``."""
        return f"random samples (seed {self._seed})"

    def read(self, indices: Iterable[int]) -> Iterator[Sample]:
        """The samples of these indices."""
        for index in indices:
            generator = np.random.default_rng([self._seed, index])
            yield {spec.name: self._draw(generator, spec) for spec in self._inputs}

    def _draw(self, generator: np.random.Generator, spec: InputSpec) -> Array:
        shape = (1, *(size_of(dim, self._sizes) for dim in spec.shape[1:]))
        dtype = np.dtype(spec.dtype)
        if dtype.kind == "b":
            return generator.random(shape) < 0.5
        if dtype.kind in "iu":
            low, high = integer_range(spec)
            return generator.integers(low, high, shape, dtype=dtype, endpoint=True)
        if spec.low is not None and spec.high is not None:
            return generator.uniform(spec.low, spec.high, shape).astype(dtype)
        return generator.standard_normal(shape).astype(dtype)


def size_of(dim: Dim, sizes: dict[str, int]) -> int:
    """A static dim itself, or the size chosen for its name."""
    return sizes[dim] if isinstance(dim, str) else dim


def integer_range(spec: InputSpec) -> tuple[int, int]:
    """The inclusive range of an integer input; raises ``InputSpecInvalid`` when none was declared."""
    if spec.low is None or spec.high is None:
        raise InputSpecInvalid(
            f"input {spec.name} holds integers ({spec.dtype}) of unknown range: random samples need one",
            fix=f"declare it: --input {spec.name}=…:{spec.dtype}:0..29999",
        )
    return int(spec.low), int(spec.high)
