"""A value of the graph during lowering: what holds it, and how it is stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.layout.dims import Size
from convert.layout.layout import Layout

Tensor = Any
"""A ``tf.Tensor``; TensorFlow ships no types."""
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Merged:
    """What a value is too: ``value`` reshaped to ``sizes``, then transposed."""

    value: Value
    sizes: tuple[Size, ...]
    permutation: tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """A TensorFlow tensor, or a numpy constant that is not in the graph yet.

    A constant is always stored as ONNX has it; each use stores it as it needs it, at build time. An object array is
    shape arithmetic: integers and :class:`~convert.layout.dims.Dim`.
    """

    data: Tensor | Array
    layout: Layout
    sizes: tuple[Size, ...]
    """Logical shape."""
    parameter: str | None = None
    """The initializer's name, for constants that are weights."""
    merged: Merged | None = None
    """Where it comes from, if a Reshape had to move data for it: the next Reshape may not need that."""

    @property
    def rank(self) -> int:
        """Number of logical axes."""
        return self.layout.rank

    @property
    def is_constant(self) -> bool:
        """Whether its numbers are known now."""
        return isinstance(self.data, np.ndarray) and self.data.dtype != object

    @property
    def is_shape_arithmetic(self) -> bool:
        """Whether it is made of sizes of which some are dynamic."""
        return isinstance(self.data, np.ndarray) and self.data.dtype == object

    @property
    def is_tensor(self) -> bool:
        """Whether it is computed when the model runs."""
        return not isinstance(self.data, np.ndarray)


@dataclass(frozen=True)
class TensorSequence(Value):
    """An ONNX sequence whose length is known while the graph is built; ``data`` is a tuple of values."""

    @staticmethod
    def of(values: Iterable[Value]) -> TensorSequence:
        """The sequence of these."""
        return TensorSequence(tuple(values), Layout.identity(0), ())

    @property
    def is_tensor(self) -> bool:
        """Never: its items may be."""
        return False


def constant(array: Array | np.generic, parameter: str | None = None) -> Value:
    """A constant, or shape arithmetic if the array holds objects; one that holds only integers becomes a constant."""
    array = np.asarray(array)
    if array.dtype == object and all(isinstance(item, int | np.integer) for item in array.flat):
        array = array.astype(np.int64)
    return Value(array, Layout.identity(array.ndim), tuple(array.shape), parameter)
