"""Jobs that write samples to a folder of batches: the ones that judge, and the ones that calibrate.

Both are given the same source and the same ``max_judging`` when the user named one set of data: the split is then the
same in both jobs, and what judges never calibrates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, cycle, islice, repeat
from pathlib import Path

import numpy as np

from verify.batches import batch_name, write_batch
from verify.errors import SamplesInvalid
from verify.report.types import Refusal
from verify.samples.fit import Sample
from verify.samples.image_folder import ImageReader
from verify.samples.load import SampleReader, open_samples
from verify.samples.source import SampleSource
from verify.samples.spec import InputSpec
from verify.samples.split import split, spread

JUDGING_BATCH_SIZES = (1, 2, 5)
"""Each is met at least once (contract 5); the last one repeats until the samples are used up."""


@dataclass(frozen=True)
class BatchSet:
    """A folder of batches as written. ``description`` is a phrase for the report."""

    folder: Path
    batch_sizes: tuple[int, ...]
    sample_count: int
    """Different samples; those repeated to fill a batch are counted once."""
    description: str
    refusals: tuple[Refusal, ...] = ()


def write_batches(
    *,
    source: SampleSource,
    inputs: tuple[InputSpec, ...],
    folder: Path,
    max_judging: int = 32,
    hold_out: bool = False,
    batch_sizes: tuple[int, ...] = JUDGING_BATCH_SIZES,
) -> BatchSet:
    """Job: write the samples that judge. ``hold_out`` takes only those that :func:`write_calibration` leaves out."""
    reader = open_samples(source, inputs)
    samples = _nonempty(reader.read(_judging_indices(reader, max_judging, hold_out)), reader)
    fewest = sum(batch_sizes)
    head = list(islice(samples, fewest))
    stream = chain(head, samples) if len(head) == fewest else islice(cycle(head), fewest)
    sizes: list[int] = []
    for wanted in chain(batch_sizes, repeat(batch_sizes[-1])):
        batch = list(islice(stream, wanted))
        if not batch:
            break
        write_batch(folder / batch_name(len(sizes)), stacked(batch))
        sizes.append(len(batch))
    count = sum(sizes) if len(head) == fewest else len(head)
    return BatchSet(folder, tuple(sizes), count, _judging_phrase(reader, count, fewest, hold_out), reader.rejections)


def write_calibration(
    *,
    source: SampleSource,
    inputs: tuple[InputSpec, ...],
    folder: Path,
    max_samples: int = 256,
    max_judging: int = 32,
    hold_out: bool = True,
) -> BatchSet:
    """Job: write the samples that calibrate, one a batch. ``hold_out`` leaves out those that judge."""
    reader = open_samples(source, inputs)
    count = 0
    for sample in _nonempty(reader.read(_calibration_indices(reader, max_samples, max_judging, hold_out)), reader):
        write_batch(folder / batch_name(count), sample)
        count += 1
    uneven = reader.imbalance if isinstance(reader, ImageReader) else ()
    return BatchSet(folder, (1,) * count, count, _phrase(reader, count), (*reader.rejections, *uneven))


def _judging_indices(reader: SampleReader, max_judging: int, hold_out: bool) -> tuple[int, ...]:
    if reader.count is None:
        return tuple(range(max_judging))
    if hold_out:
        return split(reader.count, max_judging).judging
    return judged_of(reader.count, max_judging)


def judged_of(count: int, max_judging: int) -> tuple[int, ...]:
    """Which of so many samples judge when none is held out, in the order in which they are written."""
    return spread(tuple(range(count)), max_judging)


def _calibration_indices(reader: SampleReader, max_samples: int, max_judging: int, hold_out: bool) -> tuple[int, ...]:
    if reader.count is None:
        first = max_judging if hold_out else 0
        return tuple(range(first, first + max_samples))
    usable = split(reader.count, max_judging).calibration if hold_out else tuple(range(reader.count))
    return spread(usable, max_samples)


def _nonempty(samples: Iterator[Sample], reader: SampleReader) -> Iterator[Sample]:
    first = next(samples, None)
    if first is None:
        reasons = "; ".join(f"{refusal.subject}: {refusal.reason}" for refusal in reader.rejections)
        raise SamplesInvalid(
            f"there are no usable {reader.description}" + (f" ({reasons})" if reasons else ""),
            fix="give samples that can be read",
        )
    return chain([first], samples)


def stacked(samples: list[Sample]) -> Sample:
    """Samples as one batch; raises ``SamplesInvalid`` where their shapes differ."""
    try:
        return {name: np.concatenate([sample[name] for sample in samples]) for name in samples[0]}
    except ValueError as error:
        shapes = {name: sorted({sample[name].shape[1:] for sample in samples}) for name in samples[0]}
        listed = "; ".join(f"{name} {', '.join(map(str, found))}" for name, found in shapes.items() if len(found) > 1)
        raise SamplesInvalid(
            f"samples of one batch must have one shape, but they differ: {listed}",
            fix="make them the same size, or give each size as data of its own",
        ) from error


def _judging_phrase(reader: SampleReader, count: int, fewest: int, hold_out: bool) -> str:
    held_out = ", held out from calibration" if hold_out else ""
    repeated = f", repeated to fill batches of {fewest} in all" if count < fewest else ""
    return _phrase(reader, count) + held_out + repeated


def _phrase(reader: SampleReader, count: int) -> str:
    of = f" of {reader.count}" if reader.count is not None and reader.count != count else ""
    return f"{count}{of} {reader.description}"
