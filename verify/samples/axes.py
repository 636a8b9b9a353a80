"""Sizes to try on dynamic axes besides the one that everything is first run at: a smaller one, and a larger one.

A net that works at one size may still have that size baked in; only another size tells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from verify.batches import batch_name, batch_paths, read_batch, write_batch
from verify.samples.fit import Array
from verify.samples.spec import InputSpec
from verify.signature import BATCH, DynamicAxis

Sizes = tuple[tuple[str, int], ...]
"""A size for each dynamic axis but the batch."""

_SMALLER = 0.75
_LARGER = 1.25
_LARGER_STEP = 0.25
"""Each further axis is larger by so much more: the larger pictures are no squares."""
_USUAL_MULTIPLE = 32
"""Of sizes that nothing is known about: most nets halve theirs five times at most."""


def default_sizes(inputs: tuple[InputSpec, ...]) -> dict[str, int]:
    """The size that each dynamic axis but the batch is first run at; one name has one size in all inputs."""
    sizes: dict[str, int] = {}
    for spec in inputs:
        for axis, dim in enumerate(spec.shape):
            if axis and isinstance(dim, str):
                sizes.setdefault(dim, spec.size_at(axis))
    return sizes


def other_sizes(inputs: tuple[InputSpec, ...], axes: tuple[DynamicAxis, ...]) -> tuple[Sizes, ...]:
    """Up to two further sets of sizes, within what ``axes`` says is possible; none without dynamic axes."""
    usual = default_sizes(inputs)
    known = {axis.name: axis for axis in axes}
    rules = {name: known.get(name) or _assumed(name, size) for name, size in usual.items()}
    smaller = {name: rules[name].at_most(_SMALLER * size, unless=size) for name, size in usual.items()}
    larger = {
        name: rules[name].at_least((_LARGER + _LARGER_STEP * place) * size)
        for place, (name, size) in enumerate(usual.items())
    }
    return tuple(tuple(sizes.items()) for sizes in (smaller, larger) if sizes != usual)


def write_other_sizes(folder: Path, inputs: tuple[InputSpec, ...], sizes: tuple[Sizes, ...]) -> None:
    """Job: add a batch for each set of sizes, made of the samples that are there: cut, or begun again at their end."""
    paths = batch_paths(folder)
    for place, wanted in enumerate(sizes):
        source = read_batch(paths[(place + 1) % len(paths)])
        resized = {spec.name: _resized(source[spec.name], spec, dict(wanted)) for spec in inputs}
        write_batch(folder / batch_name(len(paths) + place), resized)


def described(sizes: Sizes) -> str:
    """``H=48, W=48``."""
    return ", ".join(f"{name}={size}" for name, size in sizes)


def _assumed(name: str, size: int) -> DynamicAxis:
    return DynamicAxis(name, multiple_of=math.gcd(size, _USUAL_MULTIPLE))


def _resized(array: Array, spec: InputSpec, sizes: Mapping[str, int]) -> Array:
    for axis, dim in enumerate(spec.shape):
        if isinstance(dim, str) and dim != BATCH:
            array = np.take(array, np.arange(sizes[dim]) % array.shape[axis], axis)
    return array
