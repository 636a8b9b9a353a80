"""Errors of a quantized output in steps of its own grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verify.metrics import Array
from verify.report.findings import QuantizedErrors

_SLACK = 2.0**-7
"""Of a step: codes of 16 bits lose up to 2^-8 of one when they are made real in float32."""


@dataclass(frozen=True)
class OutputGrid:
    """What a quantized output can hold: ``scale * (code - zero_point)`` for codes from lowest to highest."""

    name: str
    scale: float
    zero_point: int
    lowest_code: int
    highest_code: int


@dataclass
class GridTally:
    """Counts over one output."""

    grid: OutputGrid
    count: int = 0
    within_one: int = 0
    within_two: int = 0
    saturated: int = 0

    def note(self, expected: Array, actual: Array) -> None:
        """Take in finite real values of one batch."""
        wanted, given = (
            values.astype(np.float64) / self.grid.scale + self.grid.zero_point for values in (expected, actual)
        )
        steps = np.abs(wanted - given)
        self.count += steps.size
        self.within_one += int((steps <= 1 + _SLACK).sum())
        self.within_two += int((steps <= 2 + _SLACK).sum())
        at_end = (given <= self.grid.lowest_code + _SLACK) | (given >= self.grid.highest_code - _SLACK)
        self.saturated += int((at_end & (steps > 1 + _SLACK)).sum())

    @property
    def report(self) -> QuantizedErrors | None:
        """``None`` when nothing was compared."""
        if not self.count:
            return None
        one, two, ends = (number / self.count for number in (self.within_one, self.within_two, self.saturated))
        explanation = (
            f"{one:.1%} of {self.count} values are within 1 LSB ({self.grid.scale:.3g}) and {two:.1%} within 2; "
            f"{ends:.1%} stick to an end of the output's range where they should not."
        )
        return QuantizedErrors(self.grid.scale, one, two, ends, explanation)
