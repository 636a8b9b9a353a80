"""Axes of the plots: which ticks, and where a value lies in pixels. The templates draw what is computed here."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Tick:
    """A line across the plot at ``at`` pixels, with its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """A linear axis from ``low`` at ``start`` pixels to ``high`` at ``end`` (which may be the smaller of the two)."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value; what lies outside, or is not finite, lies on the border."""
        if math.isnan(value):
            return self.start
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self, count: int = 5) -> tuple[Tick, ...]:
        """About ``count`` of them, at multiples of 1, 2 or 5 times a power of ten."""
        step = _nice((self.high - self.low) / count)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        values = [float(f"{index * step:.6g}") for index in range(first, last + 1)]
        return tuple(Tick(self.at(value), f"{value:g}") for value in values)


def linear_axis(low: float, high: float, start: float, end: float) -> Axis:
    """An axis with a little room at both ends, also where there is but one value."""
    room = (high - low) * 0.04 or max(abs(high), 1e-30) * 0.5
    return Axis(low - room, high + room, start, end)


def _nice(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return power * next(factor for factor in (1, 2, 5, 10) if step <= factor * power * (1 + 1e-9))
