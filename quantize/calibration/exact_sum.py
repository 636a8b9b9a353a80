"""Sums of float32 numbers without rounding, so that they do not depend on the order of the addends.

A float32 is an integer multiple of 2^-149. Its digits go to one of a few integers a number that each stand for
``_BLOCK_BITS`` more binary places (Kulisch's long accumulator), and only the total is rounded.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

_MANTISSA_BITS = 24
_LEAST_EXPONENT = -149
_BLOCK_BITS = 16
_BLOCKS = (128 - _LEAST_EXPONENT) // _BLOCK_BITS + 1


class ExactSums:
    """One sum for each of ``count`` columns. An addend takes 40 of 63 bits: there may be 8 million."""

    def __init__(self, count: int) -> None:
        self._digits = np.zeros((_BLOCKS, count), np.int64)
        self._columns = np.arange(count)

    def add(self, addends: npt.NDArray[np.float32]) -> None:
        """One finite number a column, (count,)."""
        fractions, exponents = np.frexp(addends.astype(np.float64))
        mantissas = np.ldexp(fractions, _MANTISSA_BITS).astype(np.int64)
        places = np.maximum(exponents - _MANTISSA_BITS - _LEAST_EXPONENT, 0)
        mantissas >>= np.maximum(_LEAST_EXPONENT - exponents + _MANTISSA_BITS, 0)
        blocks, shifts = np.divmod(places, _BLOCK_BITS)
        self._digits[blocks, self._columns] += mantissas << shifts

    def merge(self, other: ExactSums) -> None:
        """Add what another one has summed."""
        self._digits += other._digits

    def mean(self, count: int) -> npt.NDArray[np.float32]:
        """The sums divided by ``count``, each rounded once."""
        weights = [Fraction(2) ** (_LEAST_EXPONENT + _BLOCK_BITS * block) for block in range(_BLOCKS)]
        totals = [
            sum((int(digit) * weight for digit, weight in zip(column, weights, strict=True)), Fraction(0))
            for column in self._digits.T
        ]
        return np.array([float(total / count) for total in totals], np.float32)
