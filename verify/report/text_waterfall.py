"""The course of the error from layer to layer as lines of text: the worst layers, in the order they are computed in."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.console import Console

from verify.report.console_text import can_show, cut, plain_table, print_lines, print_table, text
from verify.report.verification import NOT_FINITE_DB, Layer, Localisation
from verify.report.verification_cards import layer_sqnr

MOST_LAYERS = 8
_FULL_DB = 140.0
"""As good as identical: a bar as long as there is room."""
_BAR_CHARACTERS = 10


@dataclass(frozen=True)
class Row:
    """A layer in words. The longer the ``bar``, the less error has come to it."""

    layer: str
    place: str
    reached: str
    bar: str
    alone: str
    culprit: bool


def print_waterfall(where: Localisation, console: Console) -> None:
    """Nothing without layers."""
    rows = waterfall_rows(where, "█" if can_show(console, "█") else "#")
    if not rows:
        return
    console.print()
    console.print(text(console, f"Layer by layer, {where.expected} → {where.actual}:", "bold"))
    table = plain_table()
    shortened = cut(console)
    table.add_column("layer", overflow=shortened, no_wrap=True)
    table.add_column("of", overflow=shortened)
    table.add_column("so far", justify="right", overflow=shortened, no_wrap=True)
    table.add_column("", overflow="crop", no_wrap=True)
    table.add_column("by itself", justify="right", overflow=shortened, no_wrap=True)
    table.add_column("", overflow=shortened, no_wrap=True)
    for row in rows:
        style = "red" if row.culprit else ""
        cells = (row.layer, row.place, row.reached, row.bar, row.alone, "✕ wrong" if row.culprit else "")
        table.add_row(*(text(console, cell, style) for cell in cells))
    print_table(console, table)
    print_lines(console, [legend(where)], style="dim")


def waterfall_rows(where: Localisation, block: str = "█") -> tuple[Row, ...]:
    """The culprit and the layers that are worst by themselves; by what has come to them, where that is not known."""
    by_own = sorted(
        range(len(where.layers)), key=lambda at: (not _blamed(where.layers[at], where), _own(where.layers[at]))
    )
    worst = sorted(by_own[:MOST_LAYERS])
    return tuple(_row(where.layers[at], where, block) for at in worst)


def legend(where: Localisation) -> str:
    """What the columns mean and the rows leave out, in words."""
    parts = ["so far: both fed the samples, so that errors add up", "by itself: this op fed what the trusted model has"]
    parts += [f"these are the {MOST_LAYERS} worst of {len(where.layers)}"] if len(where.layers) > MOST_LAYERS else []
    parts += [f"{len(where.unaligned)} more have no counterpart"] if where.unaligned else []
    return "; ".join(parts)


def _own(layer: Layer) -> tuple[float, float]:
    reached = math.inf if layer.sqnr_db is None else layer.sqnr_db
    return (reached if layer.local_sqnr_db is None else layer.local_sqnr_db, reached)


def _blamed(layer: Layer, where: Localisation) -> bool:
    return where.culprit is not None and where.culprit.layer.op_index == layer.op_index


def _row(layer: Layer, where: Localisation, block: str) -> Row:
    return Row(
        layer=f"{layer.op} #{layer.op_index}",
        place=_first(layer.module or layer.onnx_node or layer.actual_tensor),
        reached=layer_sqnr(layer.sqnr_db),
        bar=block * _length(layer.sqnr_db),
        alone="–" if layer.local_sqnr_db is None else layer_sqnr(layer.local_sqnr_db),
        culprit=_blamed(layer, where),
    )


def _first(places: str) -> str:
    """Of several that an op was fused from."""
    first, _, more = places.partition(", ")
    return f"{first}…" if more else first


def _length(sqnr_db: float | None) -> int:
    if sqnr_db is None:
        return _BAR_CHARACTERS
    if not math.isfinite(sqnr_db) or sqnr_db <= NOT_FINITE_DB:
        return 0
    return round(min(max(sqnr_db, 0.0), _FULL_DB) / _FULL_DB * _BAR_CHARACTERS)
