"""SQNR from layer to layer: cumulative as a line, each op's own error as dots, the culprit marked."""

from __future__ import annotations

import math
from dataclasses import dataclass

from verify.report.plot_axes import Axis, Tick
from verify.report.verification import NOT_FINITE_DB, Layer, Localisation
from verify.report.verification_cards import layer_name, layer_sqnr

_LEFT, _TOP = 42, 36
_BELOW = 30
_LEAST_SPAN_DB = 20.0
_DENSE_PIXELS = 6


@dataclass(frozen=True)
class Dot:
    """One layer; ``text`` is shown when pointed at."""

    x: float
    y: float
    text: str
    culprit: bool


@dataclass(frozen=True)
class Waterfall:
    """``line`` is SVG path data of the cumulative SQNR, ``local`` of the ops' own; ``dots`` are pointed at.

    ``dense``: there are so many layers that their dots must be small.
    """

    width: int
    height: int
    left: float
    right: float
    bottom: float
    line: str
    local: str
    dense: bool
    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]
    culprit_x: float | None
    culprit_label: str
    culprit_anchor: str
    description: str


def draw_waterfall(where: Localisation, width: int, height: int) -> Waterfall | None:
    """``None`` without layers. Bit-identical layers stand at the top, above every tick."""
    layers = where.layers
    if not layers:
        return None
    right, bottom = float(width - 12), float(height - _BELOW)
    x = Axis(0, max(len(layers) - 1, 1), _LEFT + 8, right)
    y = _decibel_axis(layers, bottom)
    points = [(x.at(index), _height(layer.sqnr_db, y)) for index, layer in enumerate(layers)]
    own = [
        (x.at(index), _height(layer.local_sqnr_db, y))
        for index, layer in enumerate(layers)
        if layer.local_sqnr_db is not None
    ]
    place = _culprit_index(where)
    at = None if place is None else x.at(place)
    return Waterfall(
        width=width,
        height=height,
        left=_LEFT,
        right=right,
        bottom=bottom,
        line="M" + "L".join(f"{one:g} {other:g}" for one, other in points),
        local="".join(f"M{one:g} {other:g}h0" for one, other in own),
        dense=(right - _LEFT) / len(layers) < _DENSE_PIXELS,
        dots=tuple(
            Dot(one, other, f"{layer_name(layer)}: {layer_sqnr(layer.sqnr_db)}", index == place)
            for index, (layer, (one, other)) in enumerate(zip(layers, points, strict=True))
        ),
        ticks=y.ticks(4),
        culprit_x=at,
        culprit_label="" if place is None else f"{layers[place].op} #{layers[place].op_index}",
        culprit_anchor="start" if at is None or at < (_LEFT + right) / 2 else "end",
        description=_described(where),
    )


def _decibel_axis(layers: tuple[Layer, ...], bottom: float) -> Axis:
    values = [
        value
        for layer in layers
        for value in (layer.sqnr_db, layer.local_sqnr_db)
        if value is not None and _is_finite(value)
    ]
    low, high = min((0.0, *values)), max((_LEAST_SPAN_DB, *values))
    return Axis(low, high * 1.08, bottom, _TOP)


def _height(sqnr_db: float | None, axis: Axis) -> float:
    """``None`` is no error at all; what is not finite is the worst."""
    if sqnr_db is None:
        return axis.end - 6
    return axis.at(sqnr_db if _is_finite(sqnr_db) else axis.low)


def _is_finite(sqnr_db: float) -> bool:
    return math.isfinite(sqnr_db) and sqnr_db > NOT_FINITE_DB


def _culprit_index(where: Localisation) -> int | None:
    if where.culprit is None:
        return None
    named = where.culprit.layer
    if named in where.layers:
        return where.layers.index(named)
    return next((index for index, layer in enumerate(where.layers) if layer.op_index == named.op_index), None)


def _described(where: Localisation) -> str:
    culprit = f"; the first to go wrong is {layer_name(where.culprit.layer)}" if where.culprit else ""
    return f"SQNR of {len(where.layers)} layers of {where.actual} against {where.expected}{culprit}"
