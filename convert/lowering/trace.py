"""What one tracing of the graph shares between nodes: symbols, variables, and what was brought to a layout already."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, groupby

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim, Size, evaluate
from convert.layout.layout import Layout, plan_relayout
from convert.layout.transposition import MOST_AXES, few_axes
from convert.layout.value import Array, Tensor, Value
from convert.lowering.kernel_types import transposed
from convert.lowering.origins import Origins
from convert.lowering.weights import Weights


class Trace:
    """Turns values into tensors, and remembers what it made so that nothing is made twice."""

    def __init__(self, weights: Weights, origins: Origins | None = None) -> None:
        self.weights = weights
        self.origins = origins
        self._symbols: dict[str, tuple[Tensor, int]] = {}
        self._scalars: dict[str, Tensor] = {}
        self._vectors: dict[str, Tensor] = {}
        self._known_as: dict[str, Size] = {}
        self._unnamed: set[str] = set()
        self._stored: dict[tuple[int, Layout, Layout], Tensor] = {}
        self._kept: list[Tensor] = []
        self._numbers = count()

    def nested(self) -> Trace:
        """For a subgraph: it knows what is known here, and what it makes is not seen here. Weights are shared."""
        inner = Trace(self.weights)
        inner._symbols, inner._scalars = dict(self._symbols), dict(self._scalars)
        inner._vectors = dict(self._vectors)
        inner._known_as, inner._unnamed = dict(self._known_as), set(self._unnamed)
        inner._stored, inner._kept = dict(self._stored), list(self._kept)
        inner._numbers = self._numbers
        return inner

    def knows(self, size: Size) -> bool:
        """Whether every symbol of a size can be read here."""
        return not isinstance(size, Dim) or all(name in self._symbols for name in size.names)

    def define(self, symbol: str, tensor: Tensor, physical_axis: int) -> None:
        """Say where a dynamic size can be read; the first one said stays."""
        self._symbols.setdefault(symbol, (tensor, physical_axis))

    def sizes(self, tensor: Tensor, layout: Layout, names: Sequence[str | None] = ()) -> tuple[Size, ...]:
        """A tensor's logical sizes; a dynamic one gets its name from ``names``, or a new one."""
        sizes: list[Size] = []
        for axis in range(layout.rank):
            physical = layout.physical_axis(axis)
            size = tensor.shape[physical]
            if size is None:
                name = names[axis] if axis < len(names) else None
                symbol = name or f"?{next(self._numbers)}"
                if name is None:
                    self._unnamed.add(symbol)
                self.define(symbol, tensor, physical)
                size = Dim.of(symbol)
            sizes.append(size)
        return tuple(sizes)

    def named(self, size: Size, name: str | None) -> Size:
        """A dynamic size as what the first size was that ONNX gave this name, if nothing more is known of it.

        What a lowering knows (``N·3`` of a Reshape) is worth more than ONNX's ``unk__7``, and says what that is.
        """
        if name is None or not isinstance(size, Dim):
            return size
        if str(size) not in self._unnamed:
            self._known_as.setdefault(name, size)
            return size
        if name not in self._known_as:
            self.define(name, *self._symbols[str(size)])
            self._known_as[name] = Dim.of(name)
        return self._known_as[name]

    def scalar(self, size: Size) -> Tensor | int:
        """A size as a Python integer, or as an int32 scalar where it is dynamic."""
        return evaluate(size, self._read)

    def _read(self, symbol: str) -> Tensor:
        if symbol not in self._scalars:
            tensor, axis = self._symbols[symbol]
            self._scalars[symbol] = tf.shape(tensor)[axis]
        return self._scalars[symbol]

    def shape(self, sizes: Sequence[Size], *, infer_one: bool = True) -> Tensor | list[int]:
        """Sizes as what ``tf.reshape`` takes: a plain list with at most one -1, where that can say it."""
        dynamic = [size for size in sizes if isinstance(size, Dim)]
        if not dynamic or (infer_one and len(dynamic) == 1 and 0 not in sizes):
            return [-1 if isinstance(size, Dim) else int(size) for size in sizes]
        return self.vector(sizes)

    def vector(self, sizes: Sequence[Size]) -> Tensor:
        """Sizes as one int32 tensor, by GATHER and CONCATENATION, which LiteRT computes before the model runs.

        PACK it computes while the model runs, so that what it shapes is sized only then: the GPU takes no such file.
        """
        whole = self._shape_of_one(sizes)
        if whole is not None:
            return whole
        pieces: list[Tensor] = []
        for is_dynamic, run in groupby(sizes, key=lambda size: isinstance(size, Dim)):
            stretch = list(run)
            pieces += (
                [evaluate(size, self._read_alone) for size in stretch] if is_dynamic else [np.array(stretch, np.int32)]
            )
        return tf.concat(pieces, 0) if len(pieces) > 1 else tf.convert_to_tensor(pieces[0])

    def _shape_of_one(self, sizes: Sequence[Size]) -> Tensor | None:
        """The shape of the tensor whose axes these sizes are, all of them, if there is one."""
        names = [str(size) for size in sizes if isinstance(size, Dim)]
        tensor, _ = self._symbols.get(names[0], (None, 0)) if names else (None, 0)
        if tensor is None or tensor.shape.rank != len(sizes):
            return None
        for axis, size in enumerate(sizes):
            if isinstance(size, Dim):
                found, place = self._symbols.get(str(size), (None, 0))
                if found is not tensor or place != axis:
                    return None
            elif tensor.shape[axis] != size:
                return None
        return tf.shape(tensor)

    def _read_alone(self, symbol: str) -> Tensor:
        """A symbol as a vector of one entry."""
        if symbol not in self._vectors:
            tensor, axis = self._symbols[symbol]
            self._vectors[symbol] = tf.gather(tf.shape(tensor), [axis])
        return self._vectors[symbol]

    def reshape(self, tensor: Tensor, sizes: Sequence[Size]) -> Tensor:
        """The tensor with other sizes; static ones stay known to shape inference."""
        static = [None if isinstance(size, Dim) else int(size) for size in sizes]
        if None not in static and tensor.shape.as_list() == static:
            return tensor
        shape = self.shape(sizes)
        reshaped = tf.reshape(tensor, shape)
        return reshaped if isinstance(shape, list) else tf.ensure_shape(reshaped, static)

    def weight(self, parameter: str | None, array: Array, shape: tuple[int, ...] | None = None) -> tf.Variable | Array:
        """A parameter of the model as a variable, made once; other constants stay what they are.

        ``shape`` is the variable's, where the array has more axes than it is to have.
        """
        shape = array.shape if shape is None else shape
        if parameter is None or array.size < 2 or not np.issubdtype(array.dtype, np.floating):
            return array.reshape(shape)
        with tf.init_scope(), tf.name_scope(""):
            return self.weights.variable(parameter, array, shape)

    def tensor(self, value: Value, layout: Layout) -> Tensor:
        """The value as a tensor stored as ``layout``."""
        if value.is_shape_arithmetic:
            return self._shape_tensor(value)
        if value.is_constant:
            return tf.convert_to_tensor(self.weight(value.parameter, layout.store(np.asarray(value.data))))
        if value.layout == layout:
            return value.data
        key = id(value.data), value.layout, layout  # a Transpose relabels: one tensor is two values
        if key not in self._stored:
            self._stored[key] = self._relayout(value.data, value.layout, value.sizes, layout)
            self._kept.append(value.data)
        return self._stored[key]

    def _shape_tensor(self, value: Value) -> Tensor:
        sizes: list[Size] = list(np.asarray(value.data).reshape(-1))
        return self.vector(sizes) if value.rank else tf.convert_to_tensor(self.scalar(sizes[0]))

    def _relayout(self, tensor: Tensor, source: Layout, sizes: Sequence[Size], target: Layout) -> Tensor:
        if source.folds and target.folds and source.folds != target.folds:
            tensor, source = self._relayout(tensor, source, sizes, source.unfolded()), source.unfolded()
        plan = plan_relayout(source, target, sizes)
        if not plan.moves_data:
            return self.reshape(tensor, plan.merged)
        if len(plan.permutation) > MOST_AXES:
            for step in few_axes(plan.expanded, plan.permutation):
                tensor = transposed(self.reshape(tensor, step.sizes), step.permutation)
            return self.reshape(tensor, plan.merged)
        expanded = self.reshape(tensor, plan.expanded) if len(plan.expanded) != tensor.shape.rank else tensor
        moved = transposed(expanded, plan.permutation)
        return self.reshape(moved, plan.merged) if len(plan.merged) != len(plan.permutation) else moved
