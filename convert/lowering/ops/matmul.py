"""Matrix products. Constant weights take on the stored order of what they multiply."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from convert.layout.dims import Size, product
from convert.layout.layout import Layout, reordered_view
from convert.layout.value import Array, Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers


@lowers("Gemm")
def gemm(call: Call) -> Value:
    """``alpha·A'·B' + beta·C``; weights keep their orientation, their inputs in the order in which A is stored."""
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    weights = call.constant(1)
    if weights is not None and not call.integer("transA", 0):
        scaled = weights if alpha == 1 else (weights * alpha).astype(weights.dtype)
        y = _times_weights(call, _rows(call), 1, scaled, transposed=bool(call.integer("transB", 0)))
    else:
        y = tf.matmul(
            call.tensor(0),
            call.tensor(1),
            transpose_a=bool(call.integer("transA", 0)),
            transpose_b=bool(call.integer("transB", 0)),
        )
        y = y if alpha == 1 else y * tf.cast(alpha, y.dtype)
    return call.result(y if not call.has(2) else y + _addend(call, beta))


def _addend(call: Call, beta: float) -> Tensor:
    bias = call.constant(2)
    if bias is None:
        return call.tensor(2) if beta == 1 else call.tensor(2) * beta
    scaled = bias if beta == 1 else (bias * beta).astype(bias.dtype)
    if scaled.ndim == 2 and scaled.shape[0] == 1:
        scaled = scaled[0]
    return call.weight(2, scaled)


@lowers("MatMul")
def matmul(call: Call) -> Value:
    """As numpy's matmul: stacks of matrices broadcast."""
    left, right = call.value(0), call.value(1)
    if right.is_constant and right.rank == 2 and left.rank >= 2 and not left.is_constant:
        return _matmul_weights(call, left, np.asarray(right.data))
    if left.rank == 1 or right.rank == 1:
        return _with_a_vector(call, left, right)
    if _is_stored_by_columns(left) and _is_stored_by_columns(right):
        b, a = (call.trace.tensor(value, _swapped(value.rank)) for value in (right, left))
        if not _miscomputed(b, a):
            y = tf.matmul(b, a)  # (A B)' = B' A', and the transposes are what is stored
            return call.result(y, _swapped(y.shape.rank))
    (a, adjoint_a), (b, adjoint_b) = _matrix(call, left), _matrix(call, right, on_the_right=True)
    if _miscomputed(a, b):
        a = call.trace.tensor(left, Layout.identity(left.rank))
        b = call.trace.reshape(call.trace.tensor(right, Layout.identity(right.rank)), right.sizes[-2:])
        return call.result(_by_one_matrix(call, a, left.sizes, b, right.sizes[-1]))
    return call.result(tf.matmul(a, b, transpose_a=adjoint_a, transpose_b=adjoint_b))


def _miscomputed(a: Tensor, b: Tensor) -> bool:
    """Whether TensorFlow 2.19 may write beyond its buffers: ``(5, 1, 4, 4) @ (4, 8)`` gives garbage, or crashes."""
    single = all(size == 1 for size in b.shape[:-2])
    return bool(single and len(a.shape) > 3 and any(size in (1, None) for size in a.shape[1:-2]))


def _by_one_matrix(call: Call, a: Tensor, sizes: Sequence[Size], b: Tensor, columns: Size) -> Tensor:
    """``a``, of these physical sizes, times one matrix, its rows in one stack."""
    rows = call.trace.reshape(a, (product(sizes[:-1]), sizes[-1]))
    return call.trace.reshape(tf.matmul(rows, b), (*sizes[:-1], columns))


def _matmul_weights(call: Call, left: Value, weights: Array) -> Value:
    """Any storage will do that has the last axis last; the other axes stay where they are."""
    layout = left.layout
    if layout.order[-1] != left.rank - 1 or any(fold.axis != left.rank - 1 for fold in layout.folds):
        layout = Layout.identity(left.rank)
    left = Value(call.trace.tensor(left, layout), layout, left.sizes)
    y = _times_weights(call, left, 1, weights)
    return call.result(y, layout.unfolded())


def _rows(call: Call) -> Value:
    """Gemm's A with its rows as they are; its columns may be in any order."""
    left = call.value(0)
    layout = left.layout if left.layout.order == (0, 1) and left.layout.fold_of(0) is None else Layout.identity(2)
    return Value(call.trace.tensor(left, layout), layout, left.sizes)


def _times_weights(call: Call, left: Value, index: int, weights: Array, *, transposed: bool = False) -> Tensor:
    """``left`` times weights ``(in, out)``; ``(out, in)`` where they are ``transposed``, as TFLite wants them."""
    fold, stored = left.layout.fold_of(-1), weights
    if fold is not None:
        stored = reordered_view(weights, type(fold)(1 if transposed else 0, fold.sizes, fold.order))
    matrix = call.weight(index, stored, weights.shape)
    if _miscomputed(left.data, weights):
        matrix = tf.convert_to_tensor(matrix)
        return _by_one_matrix(call, left.data, left.layout.physical(left.sizes), matrix, weights.shape[-1])
    return tf.matmul(left.data, matrix, transpose_b=transposed)


def _with_a_vector(call: Call, left: Value, right: Value) -> Value:
    a, b = call.tensor(0), call.tensor(1)
    a = tf.expand_dims(a, 0) if left.rank == 1 else a
    b = tf.expand_dims(b, 1) if right.rank == 1 else b
    y = tf.matmul(a, b)
    y = tf.squeeze(y, -1) if right.rank == 1 else y
    return call.result(tf.squeeze(y, -1 if right.rank == 1 else -2) if left.rank == 1 else y)


def _matrix(call: Call, value: Value, *, on_the_right: bool = False) -> tuple[Tensor, bool]:
    """A stack of matrices, and whether each is stored transposed, which a batched product takes as it is.

    A right factor that has to be moved, and is stored with its rows innermost, keeps them so: whole rows are moved.
    """
    if value.is_tensor and value.layout == _swapped(value.rank):
        return value.data, True
    if on_the_right and _is_stored_by_columns(value):
        return call.trace.tensor(value, _swapped(value.rank)), True
    return call.trace.tensor(value, Layout.identity(value.rank)), False


def _swapped(rank: int) -> Layout:
    """Each matrix of a stack stored transposed."""
    return Layout((*range(rank - 2), rank - 1, rank - 2))


def _is_stored_by_columns(value: Value) -> bool:
    return value.is_tensor and value.rank > 1 and value.layout.order[-1] == value.rank - 2
