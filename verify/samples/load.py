"""Reading samples of any source, one at a time: memory does not grow with the number of samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count as count_up
from itertools import islice
from typing import Protocol

from verify.report.types import Refusal
from verify.samples.fit import Sample
from verify.samples.source import ArrayFile, CallableSamples, ImageFolder, RandomSamples, SampleSource
from verify.samples.spec import InputSpec


class SampleReader(Protocol):
    """An opened source. ``count`` is ``None`` when it never runs out."""

    @property
    def count(self) -> int | None: ...

    @property
    def description(self) -> str:
        """What the samples are, in the plural and without a number: ``images from photos/``."""

    @property
    def rejections(self) -> tuple[Refusal, ...]:
        """What was left out of the samples read so far, and why."""

    def read(self, indices: Iterable[int]) -> Iterator[Sample]: ...


def open_samples(source: SampleSource, inputs: tuple[InputSpec, ...]) -> SampleReader:
    """Open a source for a model's inputs; raises ``SamplesInvalid`` when it does not fit them."""
    match source:
        case RandomSamples():
            from verify.samples.random_samples import RandomReader

            return RandomReader(source, inputs)
        case ArrayFile():
            from verify.samples.array_file import ArrayReader

            return ArrayReader(source, inputs)
        case ImageFolder():
            from verify.samples.image_folder import ImageReader

            return ImageReader(source, inputs)
        case CallableSamples():
            from verify.samples.callable_samples import CallableReader

            return CallableReader(source, inputs)


def load(
    source: SampleSource,
    inputs: tuple[InputSpec, ...],
    *,
    indices: tuple[int, ...] | None = None,
    limit: int | None = None,
) -> Iterator[Sample]:
    """Samples one by one, batch axis 1: those of ``indices``, or all; at most ``limit``."""
    reader = open_samples(source, inputs)
    every = count_up() if reader.count is None else range(reader.count)
    return islice(reader.read(every if indices is None else indices), limit)
