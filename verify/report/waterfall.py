"""SQNR layer by layer as a drawing: a line for what the noise has come to, a dot for what each layer makes by itself.

Coordinates only; the template draws them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 26, 30
_MOST_DB, _LEAST_SPAN_DB = 80.0, 20.0
_FEWEST_PIXELS = 15
"""Between two marks: where there is no room, the lesser one is raised."""


@dataclass(frozen=True)
class Measured:
    """A layer: what it is called, and its SQNR in dB where that was measured."""

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

    @property
    def left(self) -> int:
        """Where the axis stands."""
        return _LEFT

    @property
    def floor(self) -> int:
        """Where the lowest line is."""
        return self.height - _BOTTOM


def draw_waterfall(layers: Sequence[Measured], worst: Mapping[int, int], width: int, height: int) -> Waterfall:
    """``worst`` gives the number that each of the worst layers goes by, by its place among the layers."""
    low, high = _span(layers)
    step = (width - _LEFT - _RIGHT) / max(len(layers), 1)

    def across(number: int) -> float:
        return round(_LEFT + (number + 0.5) * step, 1)

    def up(decibels: float) -> float:
        inside = min(max(decibels, low), high)
        return round(_TOP + (high - inside) / (high - low) * (height - _TOP - _BOTTOM), 1)

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
        _marks([(across(at), up(_lowest(layers[at], high)), number) for at, number in worst.items()]),
        tuple(Place(0, up(value), f"{value:.0f}") for value in _ticks(low, high)),
        _description(layers),
    )


def _span(layers: Sequence[Measured]) -> tuple[float, float]:
    """Whole tens around what was measured, but what is as good as identical."""
    found = [value for layer in layers for value in (layer.cumulative_db, layer.local_db) if value is not None]
    inside = [value for value in found if value <= _MOST_DB]
    low = min(0.0, *(10.0 * (value // 10) for value in inside)) if inside else 0.0
    high = max((10.0 * -(-value // 10) for value in inside), default=0.0)
    return low, max(high, low + _LEAST_SPAN_DB)


def _ticks(low: float, high: float) -> list[float]:
    step = 10 if high - low <= 50 else 20
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
    reached = "not measured" if layer.cumulative_db is None else f"{layer.cumulative_db:.1f} dB"
    alone = "" if layer.local_db is None else f", by itself {layer.local_db:.1f} dB"
    return f"{number + 1}. {layer.label}: {reached}{alone}"


def _description(layers: Sequence[Measured]) -> str:
    measured = [layer.cumulative_db for layer in layers if layer.cumulative_db is not None]
    if not measured:
        return "nothing was measured"
    course = f"{measured[0]:.0f} dB at first, {min(measured):.0f} at the lowest, {measured[-1]:.0f} in the end"
    return f"SQNR after each of {len(layers)} layers: {course}"
