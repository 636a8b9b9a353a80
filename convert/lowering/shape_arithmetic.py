"""Shape arithmetic that involves dynamic sizes, done on symbols while the graph is built instead of in the graph.

Reshape and Expand then see ``(N, 197, 768)`` and not a tensor computed by Shape, Gather, Concat: their result keeps its
static sizes, and a single dynamic one is written as -1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from convert.layout.dims import Size
from convert.layout.value import Array
from convert.lowering.call import Call

_INTEGERS = (6, 7)
"""``TensorProto.INT32`` and ``INT64``."""

_Fold = Callable[[Call, list[Array]], "Array | None"]


def fold_sizes(call: Call) -> Array | None:
    """The node's result as an object array of sizes; ``None`` where it has to be computed in the graph."""
    rule = _RULES.get(call.node.op_type)
    if rule is None:
        return None
    arrays = [np.asarray(value.data).astype(object) for value in call.inputs if value is not None]
    if any(isinstance(item, float) for array in arrays for item in array.flat):
        return None
    return rule(call, arrays)


def _gather(call: Call, arrays: list[Array]) -> Array:
    return np.asarray(np.take(arrays[0], arrays[1].astype(np.int64), axis=call.integer("axis", 0)), dtype=object)


def _slice(call: Call, arrays: list[Array]) -> Array | None:
    if arrays[0].ndim != 1 or any(call.constant(index) is None for index in range(1, len(call.inputs))):
        return None
    start, stop = int(arrays[1][0]), int(arrays[2][0])
    step = int(arrays[4][0]) if len(arrays) > 4 else 1
    return arrays[0][start:stop:step] if step > 0 else None


def _concat(call: Call, arrays: list[Array]) -> Array:
    return np.concatenate(arrays, axis=call.integer("axis", 0))


def _reshape(call: Call, arrays: list[Array]) -> Array | None:
    target = call.constant(1)
    return None if target is None else arrays[0].reshape([int(size) for size in target])


def _unsqueeze(call: Call, arrays: list[Array]) -> Array:
    axes = call.integers_input_or_attribute(1, "axes") or ()
    return np.expand_dims(arrays[0], axes)


def _squeeze(call: Call, arrays: list[Array]) -> Array:
    return np.squeeze(arrays[0], call.integers_input_or_attribute(1, "axes"))


def _divide(_: Call, arrays: list[Array]) -> Array:
    return _elementwise(lambda left, right: left // right, arrays)


def _elementwise(operation: Callable[[Size, Size], Size], arrays: list[Array]) -> Array:
    left, right = np.broadcast_arrays(arrays[0], arrays[1])
    results = np.empty(left.shape, dtype=object)
    for index in np.ndindex(left.shape):
        results[index] = operation(left[index], right[index])
    return results


_RULES: dict[str, _Fold] = {
    "Identity": lambda _, arrays: arrays[0],
    "Cast": lambda call, arrays: arrays[0] if call.integer("to", 0) in _INTEGERS else None,
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "Reshape": _reshape,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Add": lambda _, arrays: _elementwise(lambda left, right: left + right, arrays),
    "Sub": lambda _, arrays: _elementwise(lambda left, right: left - right, arrays),
    "Mul": lambda _, arrays: _elementwise(lambda left, right: left * right, arrays),
    "Div": _divide,
}
