"""The files that were tried as an SVG picture: accuracy against latency, and against size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from quantize.budget.goal import requirements
from quantize.budget.report import BudgetReport, FrontierPoint
from verify.atomic import write_text

SUFFIX = ".budget.svg"

_WIDTH, _HEIGHT, _MARGIN = 420.0, 300.0, 56.0
_STYLE = """\
text{font:12px system-ui,sans-serif;fill:#333}.title{font-size:14px;font-weight:600}.axis{stroke:#888;fill:none}
.limit{stroke:#b00;stroke-dasharray:4 3}.tried{fill:#bbb}.frontier{fill:#2a6fb0}
.chosen{fill:#fff;stroke:#2a6fb0;stroke-width:3}
.line{fill:none;stroke:#2a6fb0}
@media(prefers-color-scheme:dark){text{fill:#ddd}.chosen{fill:#111}}"""


@dataclass(frozen=True)
class _Axis:
    """From data to pixels; ``first`` is the pixel of the lowest value."""

    low: float
    high: float
    first: float
    last: float

    def at(self, value: float) -> float:
        """Pixels."""
        return self.first + (value - self.low) / (self.high - self.low) * (self.last - self.first)


def plot_path_beside(model: Path) -> Path:
    """``net_int8.tflite`` → ``net.budget.svg`` in the same folder."""
    return model.with_name(model.name.removesuffix(".tflite").removesuffix("_int8") + SUFFIX)


def write_plot(path: Path, report: BudgetReport) -> None:
    """Two panels; only files that were timed are in the first."""
    timed = [point for point in report.points if point.latency_to_float is not None]
    panels = (
        _panel(report, timed, 0.0, "latency, of the float file's", lambda point: point.latency_to_float or 0.0),
        _panel(
            report,
            report.points,
            _WIDTH,
            "size, of the float file's",
            lambda point: point.size_bytes / report.float_bytes,
        ),
    )
    box = f"0 0 {2 * _WIDTH:g} {_HEIGHT:g}"
    write_text(
        path,
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img" aria-label="int8 files that were tried">'
        f"<style>{_STYLE}</style>{''.join(panels)}</svg>\n",
    )


def _panel(
    report: BudgetReport,
    points: Sequence[FrontierPoint],
    offset: float,
    title: str,
    of: Callable[[FrontierPoint], float],
) -> str:
    (limit, *_) = requirements(report.budget)
    scale, unit = (1.0, "dB") if limit.quantity == "sqnr_db" else (100.0, "%")

    def height(point: FrontierPoint) -> float:
        return limit.of(point.score).value * scale

    across = _axis([of(point) for point in points], offset + _MARGIN, offset + _WIDTH - 12)
    up = _axis([*(height(point) for point in points), limit.limit * scale], _HEIGHT - _MARGIN, 34)
    if limit.sign < 0:  # a drop: less is better, and better is up
        up = _Axis(up.low, up.high, up.last, up.first)
    name = {"sqnr_db": "SQNR", "agreement": "top-1 agreement", "drop": f"drop in {report.metric}"}[limit.quantity]
    wanted = up.at(limit.limit * scale)
    frontier = " ".join(
        f"{across.at(of(point)):.1f},{up.at(height(point)):.1f}" for point in points if point.on_frontier
    )
    return "".join(
        (
            f'<text class="title" x="{offset + _MARGIN:g}" y="20">{name}, {unit}</text>',
            f'<path class="axis" d="M{across.first:g} 34V{_HEIGHT - _MARGIN:g}H{across.last:g}"/>',
            _ticks(across, up),
            f'<text text-anchor="middle" x="{(across.first + across.last) / 2:g}" y="{_HEIGHT - 14:g}">{title}</text>',
            f'<path class="limit" d="M{across.first:g} {wanted:.1f}H{across.last:g}"/>',
            f'<polyline class="line" points="{frontier}"/>',
            *(
                _dot(point, across.at(of(point)), up.at(height(point)), f"{height(point):.2f} {unit}")
                for point in points
            ),
        )
    )


def _axis(values: Sequence[float], first: float, last: float) -> _Axis:
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = (high - low) * 0.08 or max(abs(high), 1.0) * 0.05
    return _Axis(low - room, high + room, first, last)


def _ticks(across: _Axis, up: _Axis) -> str:
    floor = max(up.first, up.last)
    ends = [
        f'<text text-anchor="middle" x="{across.at(value):.1f}" y="{floor + 18:g}">{value:.2f}</text>'
        for value in (across.low, (across.low + across.high) / 2, across.high)
    ]
    ends += [
        f'<text text-anchor="end" x="{across.first - 6:g}" y="{up.at(value) + 4:.1f}">{value:.1f}</text>'
        for value in (up.low, (up.low + up.high) / 2, up.high)
    ]
    return "".join(ends)


def _dot(point: FrontierPoint, x: float, y: float, height: str) -> str:
    kind = "chosen" if point.chosen else "frontier" if point.on_frontier else "tried"
    words = f"{height}, {point.lifted} ops in float, {point.int8_macs:.1%} of the multiplications in int8"
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"><title>{words}</title></circle>'
