"""The plots of one output's error: how large errors are and which way they go, and expected against actual values."""

from __future__ import annotations

import math
from dataclasses import dataclass

from verify.report.picture_types import ErrorHistogram, Scatter
from verify.report.plot_axes import Axis, Tick, linear_axis
from verify.report.types import OutputComparison

_WIDTH, _HEIGHT = 340, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 12, 328, 22, 206
_SCATTER_LEFT = 62
_MOST_DECADE_LABELS = 6


@dataclass(frozen=True)
class Rectangle:
    """In pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class HistogramPlot:
    """Bars above the middle are values too large, below it too small. ``limit_x`` is where the tolerance lies."""

    width: int
    height: int
    bottom: float
    middle: float
    above: tuple[Rectangle, ...]
    below: tuple[Rectangle, ...]
    ticks: tuple[Tick, ...]
    limit_x: float | None
    description: str


@dataclass(frozen=True)
class ScatterPlot:
    """Dots as SVG path data (zero-length strokes); ``diagonal`` is where expected and actual are equal."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    dots: str
    worst: str
    diagonal: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    description: str


def draw_histogram(output: OutputComparison) -> HistogramPlot | None:
    """``None`` where no value differs."""
    histogram = output.picture.histogram if output.picture else None
    if histogram is None or not histogram.above:
        return None
    decades = len(histogram.above) / histogram.bins_per_decade
    axis = Axis(histogram.first_decade, histogram.first_decade + decades, _LEFT, _RIGHT)
    middle = (_TOP + _BOTTOM) / 2
    highest = max(*histogram.above, *histogram.below)
    unit = (_BOTTOM - _TOP) / 2 / highest
    return HistogramPlot(
        width=_WIDTH,
        height=_HEIGHT,
        bottom=_BOTTOM,
        middle=middle,
        above=_bars(histogram, histogram.above, axis, middle, -unit),
        below=_bars(histogram, histogram.below, axis, middle, unit),
        ticks=_decade_ticks(axis),
        limit_x=_limit(output.tolerance_rms, axis),
        description=_said(histogram),
    )


def draw_scatter(output: OutputComparison) -> ScatterPlot | None:
    """``None`` where there are no values."""
    scatter = output.picture.scatter if output.picture else None
    if scatter is None or not scatter.expected:
        return None
    wanted, given = (*scatter.expected, *scatter.worst_expected), (*scatter.actual, *scatter.worst_actual)
    x = linear_axis(min(wanted), max(wanted), _SCATTER_LEFT, _RIGHT)
    y = linear_axis(min(given), max(given), _BOTTOM, _TOP)
    low, high = max(x.low, y.low), min(x.high, y.high)
    return ScatterPlot(
        width=_WIDTH,
        height=_HEIGHT,
        left=_SCATTER_LEFT,
        right=_RIGHT,
        top=_TOP,
        bottom=_BOTTOM,
        dots=_dots(scatter.expected, scatter.actual, x, y),
        worst=_dots(scatter.worst_expected, scatter.worst_actual, x, y),
        diagonal=f"M{x.at(low):g} {y.at(low):g}L{x.at(high):g} {y.at(high):g}" if low < high else "",
        x_ticks=x.ticks(4),
        y_ticks=y.ticks(4),
        description=_pairs(scatter),
    )


def _bars(
    histogram: ErrorHistogram, counts: tuple[int, ...], axis: Axis, middle: float, unit: float
) -> tuple[Rectangle, ...]:
    """Every bin that holds a value is seen, be it one in a million: half a pixel at least."""
    bars = []
    for index, count in enumerate(counts):
        if count:
            left = axis.at(histogram.first_decade + index / histogram.bins_per_decade)
            right = axis.at(histogram.first_decade + (index + 1) / histogram.bins_per_decade)
            height = round(max(count * abs(unit), 1.0), 2)
            top = round(middle - height if unit < 0 else middle, 2)
            bars.append(Rectangle(left, top, round(max(right - left - 0.75, 0.75), 2), height))
    return tuple(bars)


def _decade_ticks(axis: Axis) -> tuple[Tick, ...]:
    decades = range(round(axis.low), round(axis.high) + 1)
    step = -(-len(decades) // _MOST_DECADE_LABELS)
    return tuple(Tick(axis.at(decade), f"1e{decade}") for decade in decades[::step])


def _limit(tolerance: float | None, axis: Axis) -> float | None:
    """Where the tolerance lies, when it lies inside."""
    if tolerance is None or tolerance <= 0 or not math.isfinite(tolerance):
        return None
    decade = math.log10(tolerance)
    return axis.at(decade) if axis.low <= decade <= axis.high else None


def _dots(wanted: tuple[float, ...], given: tuple[float, ...], x: Axis, y: Axis) -> str:
    """Points that fall on one pixel are drawn once."""
    places = dict.fromkeys(
        (round(x.at(one), 1), round(y.at(other), 1)) for one, other in zip(wanted, given, strict=True)
    )
    return "".join(f"M{one:g} {other:g}h0" for one, other in places)


def _said(histogram: ErrorHistogram) -> str:
    above, below = sum(histogram.above), sum(histogram.below)
    strange = f", {histogram.not_finite:,} are not finite" if histogram.not_finite else ""
    return f"{above:,} values too large, {below:,} too small, {histogram.equal:,} equal{strange}"


def _pairs(scatter: Scatter) -> str:
    worst = f", and the {len(scatter.worst_expected)} farthest apart" if scatter.worst_expected else ""
    return f"{len(scatter.expected)} values chosen at random{worst}"
