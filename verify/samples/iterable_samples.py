"""Samples from an object of the caller's own process: a torch ``DataLoader`` or ``Dataset``, a generator, a list.

They are written as batches, one sample each and no more than are wanted, so that a worker can read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from verify.batches import batch_name, write_batch
from verify.errors import SamplesInvalid
from verify.samples.callable_samples import as_samples
from verify.samples.spec import InputSpec
from verify.samples.write import stacked


def write_iterable(samples: Iterable[Any], inputs: tuple[InputSpec, ...], folder: Path, max_samples: int) -> int:
    """Write the first samples, in PyTorch layout, and return how many there were.

    An item is a sample or a batch: an array or tensor, a tuple of one for each input, or a dict by input name. What a
    tuple holds beyond the inputs, as labels, is left out. Nothing is read beyond the last sample that is written.

    Raises ``SamplesInvalid`` when an item does not fit the inputs, or there is none.
    """
    count = 0
    for count, sample in enumerate(_first(samples, inputs, max_samples), start=1):
        write_batch(folder / batch_name(count - 1), sample)
    return count


def write_iterable_file(samples: Iterable[Any], inputs: tuple[InputSpec, ...], path: Path, max_samples: int) -> None:
    """As :func:`write_iterable`, all in one ``.npz``; samples of different sizes are refused as well."""
    write_batch(path, stacked(list(_first(samples, inputs, max_samples))))


def _first(samples: Iterable[Any], inputs: tuple[InputSpec, ...], most: int) -> Iterator[dict[str, Any]]:
    given = islice(_samples(samples, inputs), most)
    first = next(given, None)
    if first is None:
        raise SamplesInvalid(
            f"the {type(samples).__name__} gave no sample", fix="give a few dozen; a generator serves only once"
        )
    return chain([first], given)


def _samples(samples: Iterable[Any], inputs: tuple[InputSpec, ...]) -> Iterator[dict[str, Any]]:
    for position, item in enumerate(_items(samples)):
        value = item[: len(inputs)] if isinstance(item, (tuple, list)) else item
        yield from as_samples(inputs, value, f"{type(samples).__name__}, item {position}")


def _items(samples: Any) -> Iterator[Any]:
    """A map-style dataset counts its items and gives them by number; it need not say where it ends otherwise."""
    if hasattr(samples, "__iter__") or not hasattr(samples, "__len__"):
        return iter(samples)
    return (samples[index] for index in range(len(samples)))
