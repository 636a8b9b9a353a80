"""An anatomy as a person reads it: drawings, the worst layers, what weighs most, and one row a layer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from verify.report import words
from verify.report.anatomy import IDENTICAL_DB, Anatomy, LayerAnatomy
from verify.report.waterfall import Measured, Waterfall, draw_waterfall

MOST_ROWS = 400
_HEAVIEST = 3
_LYING, _UPRIGHT = (1080, 300), (340, 260)
_MOST_DB = 80.0
_NOTHING_PERCENT = 0.0005


@dataclass(frozen=True)
class Worst:
    """A layer by the number that it has in the drawing."""

    number: int
    layer: LayerAnatomy
    words: str


@dataclass(frozen=True)
class Row:
    """A layer as cells of the table."""

    place: int
    layer: LayerAnatomy
    sqnr: str
    local: str
    seen: str
    """The range that the samples came to, of the range that it holds."""
    clipped: str
    scales: str
    size: str


@dataclass(frozen=True)
class Inside:
    """All that a section shows. ``unlisted`` are the layers that have no row."""

    anatomy: Anatomy
    lying: Waterfall
    upright: Waterfall
    worst: tuple[Worst, ...]
    rows: tuple[Row, ...]
    unlisted: int
    weighs: str
    in_float: tuple[str, ...]


def inside(anatomy: Anatomy) -> Inside:
    """The anatomy, to be shown."""
    numbers = {finding.layer: number for number, finding in enumerate(anatomy.findings, start=1)}
    layers = [Measured(f"{layer.label} ({layer.op})", layer.sqnr_db, layer.local_sqnr_db) for layer in anatomy.layers]
    rows = tuple(_row(place, layer) for place, layer in enumerate(anatomy.layers[:MOST_ROWS], start=1))
    return Inside(
        anatomy,
        draw_waterfall(layers, *_LYING, most_db=_MOST_DB, worst=numbers),
        draw_waterfall(layers, *_UPRIGHT, most_db=_MOST_DB, worst=numbers),
        tuple(Worst(numbers[each.layer], anatomy.layers[each.layer], each.words) for each in anatomy.findings),
        rows,
        len(anatomy.layers) - len(rows),
        _weighs(anatomy),
        _in_float(anatomy),
    )


def _row(place: int, layer: LayerAnatomy) -> Row:
    held, weights = layer.activation, layer.weights
    scales = words.NOTHING
    if weights is not None:
        spread = words.error(weights.median)
        if weights.channels > 1:
            spread = f"{words.error(weights.least)} … {spread} … {words.error(weights.largest)}"
        unused = weights.unused_levels
        scales = spread if unused is None or unused < _NOTHING_PERCENT else f"{spread}, {_percent(unused)} unused"
    return Row(
        place,
        layer,
        _decibels(layer.sqnr_db),
        _decibels(layer.local_sqnr_db),
        words.NOTHING if held is None else f"{held.seen_low:.3g} … {held.seen_high:.3g}, {_percent(held.used)} used",
        words.NOTHING if held is None else _both(held.below, held.above),
        scales,
        words.size(layer.size_bytes) if layer.size_bytes else words.NOTHING,
    )


def _decibels(value: float | None) -> str:
    return "identical" if value is not None and value >= IDENTICAL_DB else words.decibels(value)


def _both(below: float, above: float) -> str:
    """Shares at either end."""
    if max(below, above) < _NOTHING_PERCENT:
        return "0 %"
    return f"{_percent(below)} below, {_percent(above)} above"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.095 or share < _NOTHING_PERCENT else f"{share * 100:.1f} %"


def _weighs(anatomy: Anatomy) -> str:
    """``The heaviest of 1.4 MB: head 0.5 MB (36 %), …``."""
    heavy = sorted(anatomy.layers, key=lambda layer: -layer.size_bytes)[:_HEAVIEST]
    listed = tuple(
        f"{layer.label} {words.size(layer.size_bytes)} ({words.share(layer.size_bytes / anatomy.file_bytes)})"
        for layer in heavy
        if layer.size_bytes
    )
    return f"Heaviest of the file’s {words.size(anatomy.file_bytes)}: {words.joined(listed)}." if listed else ""


def _in_float(anatomy: Anatomy) -> tuple[str, ...]:
    """``2 × DIV and 1 × POW: LiteRT's int8 kernel …``, the most frequent first."""
    found = Counter((layer.op, layer.why_float) for layer in anatomy.layers if layer.why_float).most_common()
    reasons = Counter(layer.why_float for layer in anatomy.layers if layer.why_float)
    ops = {reason: tuple(f"{count} × {op}" for (op, why), count in found if why == reason) for reason in reasons}
    return tuple(f"{words.joined(ops[reason])}: {reason}" for reason, _ in reasons.most_common())
