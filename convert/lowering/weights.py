"""A model's weights as TensorFlow variables, and how their checkpoint is written.

Memory that a process has not touched before is dear: for AlexNet's weights it costs more than reading, arranging and
hashing them. So large weights are arranged only as they are saved, slice after slice in the same memory, and their
variables never hold the numbers. That a tensor may lie in several files, in slices, is TensorFlow's own format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from convert.layout.layout import aligned, contiguous, copy_into
from convert.layout.value import Array, Tensor

_LARGE = 2**24
"""Bytes from which on a weight is saved in slices."""
_SLICE = 2**25
"""Bytes of a slice, at most."""
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.\\/>-]")


@dataclass(frozen=True)
class _Slice:
    """Some rows of a weight: ``view`` has their elements in order, and may have more axes than they."""

    spec: str
    """As a checkpoint says it: the whole tensor's sizes, then ``start,length`` of each axis or ``-`` for all of it."""
    view: Array
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class _Weight:
    """A variable and where its numbers are; ``view`` has its elements in order, and may have more axes than it."""

    variable: tf.Variable
    view: Array
    deferred: bool

    def has(self, numbers: Array) -> bool:
        sizes = tuple(self.variable.shape)
        return sizes == numbers.shape and np.array_equal(contiguous(self.view).reshape(sizes), numbers)

    def slices(self) -> Iterator[_Slice]:
        sizes, length = tuple(self.variable.shape), len(self.view)
        rows_each, step = sizes[0] // length, _SLICE // (self.view.nbytes // length)
        for first in range(0, length, step):
            view = self.view[first : first + step]
            rows = len(view) * rows_each
            cut = ":".join([f"{first * rows_each},{rows}", *("-" for _ in sizes[1:])])
            yield _Slice(f"{' '.join(map(str, sizes))} {cut}", view, (rows, *sizes[1:]))


class Weights:
    """Variables by name. ``deferred``: large ones get their numbers in the checkpoint only, and cannot be read."""

    def __init__(self, *, deferred: bool = False) -> None:
        self._weights: dict[str, _Weight] = {}
        self._deferred = deferred

    @property
    def variables(self) -> list[tf.Variable]:
        """In the order in which they were made."""
        return [weight.variable for weight in self._weights.values()]

    def variable(self, name: str, view: Array, shape: tuple[int, ...]) -> tf.Variable:
        """The variable of that name; a second one where the same parameter is needed in another arrangement.

        ``view`` has its elements in order, and may have more axes than it.
        """
        while name in self._weights:
            if self._weights[name].has(contiguous(view).reshape(shape)):
                return self._weights[name].variable
            name += "_rearranged"
        deferred = self._deferred and _in_slices(view, shape)
        memory = aligned(shape, view.dtype) if deferred else contiguous(view).reshape(shape)
        variable = tf.Variable(
            _as_tensor(memory),
            name=_NOT_IN_A_NAME.sub("_", name).lstrip("_/\\>-."),
            experimental_enable_variable_lifting=False,  # with lifting tf.function traces twice: twice the time
        )
        self._weights[name] = _Weight(variable, view if deferred else memory, deferred)
        return variable

    def sharding(self) -> tf.train.experimental.ShardingCallback | None:
        """How ``tf.saved_model.SaveOptions`` is to write the checkpoint; ``None`` if no weight is deferred."""
        deferred = {id(weight.variable): weight for weight in self._weights.values() if weight.deferred}
        return _Sharding(deferred) if deferred else None


def _in_slices(view: Array, shape: tuple[int, ...]) -> bool:
    return view.nbytes >= _LARGE and shape[0] % len(view) == 0 and view.nbytes // len(view) <= _SLICE


def _as_tensor(array: Array) -> Tensor:
    """The array's own memory as a tensor."""
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


class _Sharding(tf.train.experimental.ShardingCallback):  # type: ignore[misc]
    """One file for the weights whose variables hold them, and one for each slice of the others."""

    def __init__(self, deferred: dict[int, _Weight]) -> None:
        self._deferred = deferred

    @property
    def description(self) -> str:
        return "large weights in slices that are arranged as they are written"

    def __call__(self, shardable_tensors: Sequence[Any]) -> _Shards:
        held: dict[str, dict[str, Tensor]] = {}
        slices: list[tuple[str, _Slice]] = []
        for tensor in shardable_tensors:
            weight = self._deferred.get(id(tensor.trackable))
            if weight is None:
                held.setdefault(tensor.checkpoint_key, {})[tensor.slice_spec] = tensor.tensor
            else:
                slices += [(tensor.checkpoint_key, part) for part in weight.slices()]
        return _Shards(held, slices)


@dataclass(frozen=True)
class _Shards:
    """TensorFlow goes through these once, and writes each before it asks for the next."""

    held: dict[str, dict[str, Tensor]]
    slices: list[tuple[str, _Slice]]

    def __len__(self) -> int:
        return 1 + len(self.slices)

    def __iter__(self) -> Iterator[dict[str, dict[str, Tensor]]]:
        yield self.held
        memory = aligned((_SLICE,), np.dtype(np.uint8))
        for key, part in self.slices:
            target = memory[: part.view.nbytes].view(part.view.dtype)
            copy_into(target.reshape(part.view.shape), part.view)
            yield {key: {part.spec: _as_tensor(target.reshape(part.sizes))}}
