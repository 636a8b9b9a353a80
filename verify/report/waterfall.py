"""SQNR layer by layer as a drawing: a line for what the error has come to, a dot for what each layer makes by itself.

Of an int8 file beside the float one, and of any two models that were verified. Coordinates only; ``waterfall.svg.j2``
draws them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 26, 44
_LEAST_SPAN_DB = 20.0
_ABOVE = 5
"""Pixels above the highest tick: where both are identical."""
_FEWEST_PIXELS = 15
"""Between two marks: where there is no room, the lesser one is raised."""


@dataclass(frozen=True)
class Measured:
    """A layer: what it is called, and its SQNR in dB, ``None`` where that was not measured.

    Infinite where both are identical to the bit, minus infinity where one alone is not finite.
    """

    label: str
    cumulative_db: float | None
    local_db: float | None


@dataclass(frozen=True)
class Place:
    """A point with what is said of it."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Culprit:
    """The layer that is to blame: its place, how it is called, on which side of it that stands."""

    x: float
    y: float
    label: str
    anchor: str


@dataclass(frozen=True)
class Waterfall:
    """A drawing and its size in CSS pixels. ``marks`` number the worst layers, ``ticks`` the axis."""

    width: int
    height: int
    lines: tuple[str, ...]
    """Points of a polyline each: the line has gaps where nothing was measured."""
    dots: tuple[Place, ...]
    spots: tuple[Place, ...]
    """Places to point at, the whole height of the drawing."""
    marks: tuple[Place, ...]
    ticks: tuple[Place, ...]
    description: str
    culprit: Culprit | None = None

    @property
    def left(self) -> int:
        """Where the axis stands."""
        return _LEFT

    @property
    def floor(self) -> int:
        """Where the lowest line is."""
        return self.height - _BOTTOM


def draw_waterfall(
    layers: Sequence[Measured],
    width: int,
    height: int,
    *,
    most_db: float,
    worst: Mapping[int, int] | None = None,
    culprit: tuple[int, str] | None = None,
) -> Waterfall:
    """``worst`` gives the number that each of the worst layers goes by, by its place among the layers.

    ``culprit`` is the place and the name of the layer to blame. From ``most_db`` on, errors are as good as none.
    """
    low, high = _span(layers, most_db)
    step = (width - _LEFT - _RIGHT) / max(len(layers), 1)

    def across(number: int) -> float:
        return round(_LEFT + (number + 0.5) * step, 1)

    def up(decibels: float) -> float:
        inside = min(max(decibels, low), high)
        above = _ABOVE if math.isinf(decibels) and decibels > 0 else 0
        return round(_TOP + (high - inside) / (high - low) * (height - _TOP - _BOTTOM) - above, 1)

    dots = [
        Place(across(number), up(layer.local_db), "")
        for number, layer in enumerate(layers)
        if layer.local_db is not None and layer.local_db <= high
    ]
    spots = [Place(across(number), round(step, 2), _said(number, layer)) for number, layer in enumerate(layers)]
    return Waterfall(
        width,
        height,
        _lines([(across(number), layer.cumulative_db) for number, layer in enumerate(layers)], up),
        tuple(dots),
        tuple(spots),
        _marks([(across(at), up(_lowest(layers[at], high)), number) for at, number in (worst or {}).items()]),
        tuple(Place(0, up(value), f"{value:.0f}") for value in _ticks(low, high)),
        _description(layers, culprit),
        None
        if culprit is None
        else _culprit(across(culprit[0]), up(_lowest(layers[culprit[0]], high)), culprit[1], width),
    )


def _culprit(x: float, y: float, label: str, width: int) -> Culprit:
    return Culprit(x, y, label, "start" if x < width / 2 else "end")


def _span(layers: Sequence[Measured], most_db: float) -> tuple[float, float]:
    """Whole tens around what was measured, but what is as good as identical."""
    found = [value for layer in layers for value in (layer.cumulative_db, layer.local_db) if value is not None]
    inside = [value for value in found if -math.inf < value <= most_db]
    low = min(0.0, *(10.0 * (value // 10) for value in inside)) if inside else 0.0
    high = max((10.0 * -(-value // 10) for value in inside), default=0.0)
    return low, max(high, low + _LEAST_SPAN_DB)


def _ticks(low: float, high: float) -> list[float]:
    step = 10 if high - low <= 50 else 20 if high - low <= 100 else 40
    return [float(value) for value in range(int(low), int(high) + 1) if value % step == 0]


def _lines(points: Sequence[tuple[float, float | None]], up: Callable[[float], float]) -> tuple[str, ...]:
    runs: list[list[str]] = [[]]
    for x, value in points:
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{x},{up(value)}")
    return tuple(" ".join(run) for run in runs if run)


def _lowest(layer: Measured, high: float) -> float:
    return min((value for value in (layer.cumulative_db, layer.local_db) if value is not None), default=high)


def _marks(wanted: Sequence[tuple[float, float, int]]) -> tuple[Place, ...]:
    """Below their points, lower still where another one is near."""
    placed: list[Place] = []
    for x, y, number in wanted:
        lower = y + 16
        while any(abs(x - each.x) < _FEWEST_PIXELS and abs(lower - each.y) < _FEWEST_PIXELS for each in placed):
            lower += _FEWEST_PIXELS
        placed.append(Place(x, round(lower, 1), str(number)))
    return tuple(placed)


def _said(number: int, layer: Measured) -> str:
    reached = "not measured" if layer.cumulative_db is None else _decibels(layer.cumulative_db)
    alone = "" if layer.local_db is None else f", by itself {_decibels(layer.local_db)}"
    return f"{number + 1}. {layer.label}: {reached}{alone}"


def _decibels(value: float) -> str:
    return f"{value:.1f} dB" if math.isfinite(value) else "identical" if value > 0 else "not finite"


def _description(layers: Sequence[Measured], culprit: tuple[int, str] | None) -> str:
    measured = [layer.cumulative_db for layer in layers if layer.cumulative_db is not None]
    if not measured:
        return "nothing was measured"
    first, lowest, last = (_decibels(value) for value in (measured[0], min(measured), measured[-1]))
    blamed = f"; the first to go wrong is {culprit[1]}" if culprit else ""
    return (
        f"SQNR after each of {len(layers)} layers: {first} at first, {lowest} at the lowest, {last} in the end{blamed}"
    )
