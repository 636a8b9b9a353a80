"""The files that were tried as an SVG picture: accuracy against latency, and against size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from quantize.budget.goal import Requirement, requirements
from quantize.budget.report import BudgetReport, FrontierPoint
from verify.atomic import write_text
from verify.report.plot_axes import Axis, linear_axis

SUFFIX = ".budget.svg"

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _FLOOR, _LEGEND = 460, 330, 48, 66, 36, 254, 314
_STYLE = """\
svg{--page:#fff;--text:#333;--line:#ddd;--tried:#999;--best:#2a6fb0;--limit:#b3241c}
@media(prefers-color-scheme:dark){svg{--page:#14171a;--text:#ddd;--line:#353b42;--tried:#808a94;--best:#7cbcff;--limit:#ff9089}}
text{font:12px system-ui,sans-serif;fill:var(--text)}.title{font-size:14px;font-weight:600}.page{fill:var(--page)}
.grid{stroke:var(--line)}.limit{stroke:var(--limit);stroke-dasharray:4 3}.wanted{fill:var(--limit)}
circle{stroke:var(--page)}.tried{fill:var(--tried)}.frontier{fill:var(--best)}
.chosen{fill:var(--page);stroke:var(--best);stroke-width:3}.line{fill:none;stroke:var(--best)}"""


@dataclass(frozen=True)
class _Spot:
    """A file in a panel. ``better`` counts up where ``height`` may count down."""

    point: FrontierPoint
    across: float
    height: float
    better: float


@dataclass(frozen=True)
class _Quality:
    """What a panel's height is: the quantity of the first limit, in ``unit``."""

    limit: Requirement
    name: str
    scale: float
    unit: str

    def of(self, point: FrontierPoint) -> float:
        """In the unit."""
        return self.limit.of(point.score).value * self.scale

    @property
    def wanted(self) -> float:
        """The limit, in the unit."""
        return self.limit.limit * self.scale

    @property
    def words(self) -> str:
        """``≥ 25 dB``."""
        return f"{'≥' if self.limit.sign > 0 else '≤'} {self.wanted:g} {self.unit}"


def plot_path_beside(model: Path) -> Path:
    """``net_int8.tflite`` → ``net.budget.svg`` in the same folder."""
    return model.with_name(model.name.removesuffix(".tflite").removesuffix("_int8") + SUFFIX)


def write_plot(path: Path, report: BudgetReport) -> None:
    """Two panels; only files that were timed are in the first, which is not drawn where none was."""
    quality = _quality(report)
    timed = [point for point in report.points if point.latency_to_float is not None]
    panels = [
        _panel(quality, points, title, of)
        for points, title, of in (
            (timed, "latency, % of the float file's", lambda point: 100 * (point.latency_to_float or 0.0)),
            (report.points, "size, % of the float file's", lambda point: 100 * point.size_bytes / report.float_bytes),
        )
        if points
    ]
    width = len(panels) * _WIDTH
    drawn = "".join(f'<g transform="translate({at * _WIDTH})">{panel}</g>' for at, panel in enumerate(panels))
    write_text(
        path,
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" role="img"'
        f' aria-label="int8 files that were tried"><style>{_STYLE}</style>'
        f'<rect class="page" width="{width}" height="{_HEIGHT}"/>{drawn}{_legend()}</svg>\n',
    )


def _quality(report: BudgetReport) -> _Quality:
    (limit, *_) = requirements(report.budget)
    name = {"sqnr_db": "SQNR", "agreement": "top-1 agreement", "drop": f"drop in {report.metric}"}[limit.quantity]
    scale, unit = (1.0, "dB") if limit.quantity == "sqnr_db" else (100.0, "%")
    return _Quality(limit, name, scale, unit)


def _panel(quality: _Quality, points: Sequence[FrontierPoint], title: str, of: Callable[[FrontierPoint], float]) -> str:
    spots = [_Spot(each, of(each), quality.of(each), quality.limit.slack(each.score)) for each in points]
    heights = [quality.wanted, *(spot.height for spot in spots)]
    ends = (_FLOOR, _TOP) if quality.limit.sign > 0 else (_TOP, _FLOOR)  # of a drop less is better, and better is up
    up = linear_axis(min(heights), max(heights), *ends)
    places = [spot.across for spot in spots]
    across = linear_axis(min(places), max(places), _LEFT, _WIDTH - _RIGHT)
    best = _best(spots)
    ordered = sorted(spots, key=lambda spot: (spot.point.chosen, spot in best))
    wanted = up.at(quality.wanted)
    return "".join(
        (
            f'<text class="title" x="{_LEFT}" y="20">{quality.name}, {quality.unit}</text>',
            _ticks(across, up),
            f'<text text-anchor="middle" x="{(across.start + across.end) / 2:g}" y="{_FLOOR + 38}">{title}</text>',
            f'<path class="limit" d="M{_LEFT} {wanted:g}H{across.end:g}"/>',
            f'<text class="wanted" x="{across.end + 6:g}" y="{wanted + 4:g}">{quality.words}</text>',
            f'<path class="line" d="{_stairs([(across.at(spot.across), up.at(spot.height)) for spot in best])}"/>',
            *(_dot(spot, across.at(spot.across), up.at(spot.height), spot in best, quality.unit) for spot in ordered),
        )
    )


def _best(spots: Sequence[_Spot]) -> list[_Spot]:
    """Those that no other beats in both of what the panel shows, from the left."""
    found: list[_Spot] = []
    for spot in sorted(spots, key=lambda spot: (spot.across, -spot.better)):
        if not found or spot.better > found[-1].better:
            found.append(spot)
    return found


def _stairs(places: Sequence[tuple[float, float]]) -> str:
    """Up to the next best only where that is."""
    (x, y), *others = places
    return f"M{x:g} {y:g}" + "".join(f"H{across:g}V{up:g}" for across, up in others)


def _ticks(across: Axis, up: Axis) -> str:
    drawn = [f'<path class="grid" d="M{_LEFT} {tick.at:g}H{across.end:g}"/>' for tick in up.ticks(6)]
    drawn += [f'<path class="grid" d="M{tick.at:g} {_TOP}V{_FLOOR}"/>' for tick in across.ticks(8)]
    drawn += [
        f'<text text-anchor="end" x="{_LEFT - 6}" y="{tick.at + 4:g}">{tick.label}</text>' for tick in up.ticks(6)
    ]
    drawn += [
        f'<text text-anchor="middle" x="{tick.at:g}" y="{_FLOOR + 18}">{tick.label}</text>' for tick in across.ticks(8)
    ]
    return "".join(drawn)


def _dot(spot: _Spot, x: float, y: float, best: bool, unit: str) -> str:
    point = spot.point
    kind = "chosen" if point.chosen else "frontier" if best else "tried"
    words = (
        f"{spot.height:.2f} {unit}, {point.lifted} ops in float, {point.int8_macs:.1%} of the multiplications in int8"
    )
    return f'<circle class="{kind}" cx="{x:g}" cy="{y:g}" r="4.5"><title>{words}</title></circle>'


def _legend() -> str:
    kinds = (("chosen", "chosen", 0), ("frontier", "none is better in both", 76), ("tried", "tried", 240))
    drawn = ""
    for kind, words, offset in kinds:
        x = _LEFT + 6 + offset
        mark = f'<circle class="{kind}" cx="{x}" cy="{_LEGEND - 4}" r="4.5"/>'
        drawn += f'{mark}<text x="{x + 10}" y="{_LEGEND}">{words}</text>'
    return drawn
