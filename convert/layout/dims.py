"""Sizes of axes, some of them known only when the model runs: integers and symbols, and the arithmetic on them.

A dynamic size is a product ``factor · symbol · symbol …``, so that ``N·49`` and ``49·N`` are equal and
``N·9216 / 9216`` is ``N`` again. What is no product (``N + 1``) becomes a symbol of its own, an :class:`Expression`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Union

Symbol = Union[str, "Expression"]
Size = Union[int, "Dim"]
"""A static size, or a dynamic one."""


@dataclass(frozen=True)
class Expression:
    """``left operator right``, for operators under which products are not closed."""

    operator: str
    left: Size
    right: Size

    def __str__(self) -> str:
        return f"({self.left}{self.operator}{self.right})"


@dataclass(frozen=True)
class Dim:
    """A size that is known only at run time: ``factor`` times every symbol."""

    factor: int
    symbols: tuple[Symbol, ...]

    @staticmethod
    def of(symbol: Symbol) -> Dim:
        """The size with that one symbol."""
        return Dim(1, (symbol,))

    @property
    def names(self) -> frozenset[str]:
        """The symbols in it, those in expressions included."""
        found: set[str] = set()
        for symbol in self.symbols:
            sides = (symbol,) if isinstance(symbol, str) else (symbol.left, symbol.right)
            for side in sides:
                found |= side.names if isinstance(side, Dim) else {side} if isinstance(side, str) else set()
        return frozenset(found)

    def __str__(self) -> str:
        names = [str(symbol) for symbol in self.symbols]
        return "*".join(names if self.factor == 1 else [str(self.factor), *names])

    def __mul__(self, other: Size) -> Size:
        factor, symbols = _parts(other)
        return _product(self.factor * factor, self.symbols + symbols)

    __rmul__ = __mul__

    def __floordiv__(self, other: Size) -> Size:
        return exact_quotient(self, other) or _quotient_of_sum(self, other) or _expression("//", self, other)

    def __rfloordiv__(self, other: Size) -> Size:
        return _expression("//", other, self)

    def __add__(self, other: Size) -> Size:
        return self if other == 0 else _sum_of_like(self, other) or _expression("+", self, other)

    def __radd__(self, other: Size) -> Size:
        return self if other == 0 else _expression("+", other, self)

    def __sub__(self, other: Size) -> Size:
        if isinstance(other, Dim) and other.symbols == self.symbols and self.factor >= other.factor:
            return _product(self.factor - other.factor, self.symbols)
        return self if other == 0 else _expression("-", self, other)

    def __rsub__(self, other: Size) -> Size:
        return _expression("-", other, self)


def _parts(size: Size) -> tuple[int, tuple[Symbol, ...]]:
    return (size.factor, size.symbols) if isinstance(size, Dim) else (int(size), ())


def _product(factor: int, symbols: tuple[Symbol, ...]) -> Size:
    if factor == 0 or not symbols:
        return factor
    return Dim(factor, tuple(sorted(symbols, key=str)))


def _expression(operator: str, left: Size, right: Size) -> Size:
    plain = [size if isinstance(size, Dim) else int(size) for size in (left, right)]
    return Dim.of(Expression(operator, plain[0], plain[1]))


def _sum_of_like(left: Dim, right: Size) -> Size | None:
    """``N + 3·N`` is ``4·N``; ``None`` for what has other symbols."""
    if not isinstance(right, Dim) or right.symbols != left.symbols:
        return None
    return _product(left.factor + right.factor, left.symbols)


def _quotient_of_sum(size: Dim, divisor: Size) -> Size | None:
    """``(2·N + 1) // 2`` is ``N``, as rounding up spells it; ``None`` where the sum's first part does not divide."""
    only = size.symbols[0] if size.factor == 1 and len(size.symbols) == 1 else None
    if not isinstance(only, Expression) or only.operator != "+" or not isinstance(divisor, int):
        return None
    if not isinstance(only.right, int) or only.right < 0 or divisor < 1:
        return None
    whole = exact_quotient(only.left, divisor)
    return None if whole is None else whole + only.right // divisor


def is_plain(size: Size) -> bool:
    """Whether a size is a number, or a product of names: no sum or quotient that could not be carried out."""
    return not isinstance(size, Dim) or all(isinstance(symbol, str) for symbol in size.symbols)


def is_within(size: Size, limit: Size) -> bool:
    """Whether a size is at most another one, whatever their symbols are."""
    if isinstance(size, int) and isinstance(limit, int):
        return size <= limit
    ours, theirs = _parts(size), _parts(limit)
    return ours[1] == theirs[1] and ours[0] <= theirs[0]


def product(sizes: Iterable[Size]) -> Size:
    """The product of sizes; 1 for none."""
    total: Size = 1
    for size in sizes:
        total = total * size
    return total


def exact_quotient(size: Size, divisor: Size) -> Size | None:
    """``size / divisor`` where that is exact whatever the symbols are; ``None`` where it is not, or not known to be."""
    factor, symbols = _parts(size)
    divisor_factor, divisor_symbols = _parts(divisor)
    if divisor_factor == 0 or factor % divisor_factor:
        return None
    left = list(symbols)
    for symbol in divisor_symbols:
        if symbol not in left:
            return None
        left.remove(symbol)
    return _product(factor // divisor_factor, tuple(left))


def evaluate(size: Size, value_of: Callable[[str], object]) -> object:
    """The size with numbers (or scalar tensors) in the place of its symbols."""
    if not isinstance(size, Dim):
        return size
    values = [value_of(s) if isinstance(s, str) else _evaluate_expression(s, value_of) for s in size.symbols]
    factors = values if size.factor == 1 else [*values, size.factor]
    return reduce(lambda left, right: left * right, factors)  # type: ignore[operator]


def _evaluate_expression(expression: Expression, value_of: Callable[[str], object]) -> object:
    left, right = (evaluate(side, value_of) for side in (expression.left, expression.right))
    operations: dict[str, Callable[[], object]] = {
        "+": lambda: left + right,  # type: ignore[operator]
        "-": lambda: left - right,  # type: ignore[operator]
        "//": lambda: left // right,  # type: ignore[operator]
    }
    return operations[expression.operator]()
