"""Einsum, by diagonals, sums, transposes and matrix products.

TFLite's compiler knows two operands whose common labels are summed or kept, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from convert.layout.dims import Size, product
from convert.layout.value import Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers

_SPARE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class _Operand:
    """A tensor, a label for each of its axes, and their sizes."""

    tensor: Tensor
    labels: str
    sizes: tuple[Size, ...]

    def size(self, label: str) -> Size:
        return self.sizes[self.labels.index(label)]


@lowers("Einsum")
def einsum(call: Call) -> Value:
    """Sums over products, as the equation says; without ``->`` the labels that appear once, in alphabetical order."""
    values = [call.value(index) for index in range(len(call.inputs))]
    terms, result = _terms(call, call.text("equation", "").replace(" ", ""), [value.rank for value in values])
    operands = [_Operand(call.tensor(index), labels, tuple(values[index].sizes)) for index, labels in enumerate(terms)]
    if _is_known_to_the_compiler(terms, result):
        return call.result(tf.einsum(f"{','.join(terms)}->{result}", *(operand.tensor for operand in operands)))
    operands = [_diagonal(call, operand) for operand in operands]
    while len(operands) > 1:
        later = set(result).union(*(operand.labels for operand in operands[2:]))
        operands[:2] = [_contracted(call, operands[0], operands[1], later)]
    last = _summed(operands[0], set(result))
    if set(last.labels) != set(result):
        call.refuse(f"the equation {call.text('equation', '')!r}: a label of the result is in no operand")
    return call.result(tf.transpose(last.tensor, [last.labels.index(label) for label in result]))


def _terms(call: Call, equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """A label for every axis of every operand, ``...`` spelled out, and those of the result."""
    left, arrow, result = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        call.refuse(f"{len(ranks)} operands for the equation {equation!r}")
    spare = [label for label in _SPARE if label not in equation]
    extents = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True)]
    hidden = "".join(spare[: max(extents, default=0)])
    spelled = [term.replace("...", hidden[len(hidden) - n :]) for term, n in zip(terms, extents, strict=True)]
    if arrow:
        return spelled, result.replace("...", hidden)
    every = "".join(terms).replace("...", "")
    return spelled, hidden + "".join(sorted(label for label in set(every) if every.count(label) == 1))


def _is_known_to_the_compiler(terms: Sequence[str], result: str) -> bool:
    """Two operands, each with rows of its own, whose every label is once in a term, and in the result or in both."""
    if len(terms) != 2 or any(len(set(term)) < len(term) for term in terms):
        return False
    both = set(terms[0]) & set(terms[1])
    summed = (set(terms[0]) | set(terms[1])) - set(result)
    has_rows = all(set(term) - both for term in terms)
    return has_rows and bool(summed) and summed <= both and set(result) <= set(terms[0]) | set(terms[1])


def _diagonal(call: Call, operand: _Operand) -> _Operand:
    """With each label once: of axes that share a label, the entries where their positions are the same."""
    for label in operand.labels:
        if operand.labels.count(label) < 2:
            continue
        axes = [axis for axis, other in enumerate(operand.labels) if other == label][:2]
        size = operand.sizes[axes[0]]
        if not isinstance(size, int) or size != operand.sizes[axes[1]]:
            call.refuse("a diagonal of axes of dynamic or different size")
        rest = [axis for axis in range(len(operand.labels)) if axis not in axes]
        kept = tuple(operand.sizes[axis] for axis in rest)
        flat = call.trace.reshape(tf.transpose(operand.tensor, [*rest, *axes]), (*kept, size * size))
        entries = tf.gather(flat, tf.range(0, size * size, size + 1), axis=len(rest))
        labels = "".join(operand.labels[axis] for axis in rest) + label
        return _diagonal(call, _Operand(entries, labels, (*kept, size)))
    return operand


def _summed(operand: _Operand, kept: set[str]) -> _Operand:
    gone = [axis for axis, label in enumerate(operand.labels) if label not in kept]
    if not gone:
        return operand
    stay = [axis for axis in range(len(operand.labels)) if axis not in gone]
    labels, sizes = "".join(operand.labels[axis] for axis in stay), tuple(operand.sizes[axis] for axis in stay)
    return _Operand(tf.reduce_sum(operand.tensor, gone), labels, sizes)


def _contracted(call: Call, left: _Operand, right: _Operand, later: set[str]) -> _Operand:
    """The product of two operands, summed over the labels that nobody needs later, as one batched matrix product."""
    left, right = _summed(left, later | set(right.labels)), _summed(right, later | set(left.labels))
    both = [label for label in left.labels if label in right.labels]
    if any(left.size(label) != right.size(label) for label in both):
        call.refuse("axes of different size under one label")
    batch, inner = [label for label in both if label in later], [label for label in both if label not in later]
    rows = [label for label in left.labels if label not in both]
    columns = [label for label in right.labels if label not in both]
    a = _as_matrices(call, left, (batch, rows, inner))
    b = _as_matrices(call, right, (batch, inner, columns))
    labels = [*batch, *rows, *columns]
    sizes = tuple(left.size(label) if label in left.labels else right.size(label) for label in labels)
    return _Operand(call.trace.reshape(tf.matmul(a, b), sizes), "".join(labels), sizes)


def _as_matrices(call: Call, operand: _Operand, groups: tuple[Sequence[str], Sequence[str], Sequence[str]]) -> Tensor:
    """Axes brought into the order of the groups, and each group made one axis."""
    order = [operand.labels.index(label) for group in groups for label in group]
    moved = operand.tensor if order == sorted(order) else tf.transpose(operand.tensor, order)
    return call.trace.reshape(moved, [product(operand.size(label) for label in group) for group in groups])
