"""The pipeline as a drawing: boxes for models, arrows for edges. Coordinates only; the template draws them.

Lying, models go left to right and siblings stand below each other. Upright (for a phone), models go down the page and
siblings are indented.
"""

from __future__ import annotations

from dataclasses import dataclass

from verify.report import words
from verify.report.cards import SYMBOLS, deciding_output, edge_to, fidelity, reference, short_title
from verify.report.types import EdgeReport, Report, Verdict

_BOX_WIDTH = 136
_GAP = 126
_BOX_HEIGHT = 66
_LABEL_MAX_CHARACTERS = 17


@dataclass(frozen=True)
class Box:
    """A model. ``lines`` stand below its title."""

    x: int
    y: int
    title: str
    lines: tuple[str, ...]
    verdict: Verdict | None
    width: int = _BOX_WIDTH
    height: int = _BOX_HEIGHT


@dataclass(frozen=True)
class Arrow:
    """An edge: an SVG path for the stem it shares with its siblings, one for its own end, and its label at a point."""

    stem: str
    path: str
    label: str
    label_x: int
    label_y: int
    anchor: str
    verdict: Verdict
    full_text: str


@dataclass(frozen=True)
class Drawing:
    """A drawing and its size in CSS pixels. ``description`` says the same in words."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    description: str


@dataclass(frozen=True)
class _Node:
    name: str
    edge: EdgeReport | None
    """From its parent."""
    children: tuple[_Node, ...]


def draw_lying(report: Report) -> Drawing:
    """Left to right."""
    column_step, row_step, elbow = _BOX_WIDTH + _GAP, _BOX_HEIGHT + 20, 14
    boxes: list[Box] = []
    arrows: list[Arrow] = []

    def place(node: _Node, column: int, row: int) -> int:
        """Places a subtree from a row downwards; returns the next free row."""
        x, y = column * column_step, row * row_step
        boxes.append(_box(report, node, x, y))
        free = row
        for child in node.children:
            assert child.edge is not None
            middle, end = y + _BOX_HEIGHT // 2, free * row_step + _BOX_HEIGHT // 2
            start_x, end_x = x + _BOX_WIDTH, x + column_step
            label_x = (start_x + elbow + end_x) // 2 - 2
            if len(node.children) > 1:
                stem, path = f"M{start_x} {middle}H{start_x + elbow}V{end}", f"M{start_x + elbow} {end}H{end_x - 3}"
            else:
                stem, path = "", f"M{start_x} {end}H{end_x - 3}"
            arrows.append(_arrow(child.edge, stem=stem, path=path, x=label_x, y=end - 8, anchor="middle"))
            free = place(child, column + 1, free)
        return max(free, row + 1)

    rows = place(_tree(report), 0, 0)
    width = max(box.x for box in boxes) + _BOX_WIDTH
    return Drawing(width, rows * row_step - 20, tuple(boxes), tuple(arrows), _description(report))


def draw_upright(report: Report) -> Drawing:
    """Top to bottom."""
    row_step, indent, spine = _BOX_HEIGHT + 34, 32, 16
    boxes: list[Box] = []
    arrows: list[Arrow] = []

    def place(node: _Node, depth: int) -> None:
        x, y = depth * indent, len(boxes) * row_step
        boxes.append(_box(report, node, x, y, width=240))
        branches = len(node.children) > 1
        for child in node.children:
            assert child.edge is not None
            top = len(boxes) * row_step
            start = f"M{x + spine} {y + _BOX_HEIGHT}"
            if branches:
                middle = top + _BOX_HEIGHT // 2
                stem, path = f"{start}V{middle}", f"M{x + spine} {middle}H{x + indent - 3}"
            else:
                stem, path = "", f"{start}V{top - 3}"
            label_x = x + indent + 4 if branches else x + spine + 12
            arrows.append(_arrow(child.edge, stem=stem, path=path, x=label_x, y=top - 12, anchor="start"))
            place(child, depth + branches)

    place(_tree(report), 0)
    width = max(box.x + box.width for box in boxes)
    return Drawing(width, len(boxes) * row_step - 34, tuple(boxes), tuple(arrows), _description(report))


def _tree(report: Report) -> _Node:
    root = reference(report)
    into: dict[str, EdgeReport] = {}
    for edge in report.edges:
        known = into.get(edge.actual)
        if known is None or (known.expected == root and edge.expected != root):
            into[edge.actual] = edge

    def grow(name: str, edge: EdgeReport | None, above: frozenset[str]) -> _Node:
        below = [e for e in into.values() if e.expected == name and e.actual not in above | {name}]
        return _Node(name, edge, tuple(grow(e.actual, e, above | {name}) for e in below))

    return grow(root, None, frozenset())


def _box(report: Report, node: _Node, x: int, y: int, width: int = _BOX_WIDTH) -> Box:
    made = next((artifact for artifact in report.artifacts if artifact.name == node.name), None)
    against = edge_to(report, node.name)
    if node.name == reference(report):
        lines: tuple[str, ...] = ("the reference",)
    else:
        lines = (words.size(made.size_bytes),) if made else ()
        if against and against is not node.edge:
            lines = (*lines, f"{_measure(against)} vs {short_title(against.expected)}")
    return Box(x, y, _shortened(short_title(node.name)), lines, made.verdict if made else None, width)


def _arrow(edge: EdgeReport, *, stem: str, path: str, x: int, y: int, anchor: str) -> Arrow:
    full_text = f"{short_title(edge.expected)} to {short_title(edge.actual)}: {edge.verdict}, {fidelity(edge)}"
    return Arrow(
        stem, path, f"{SYMBOLS[edge.verdict]} {_shortened(fidelity(edge))}", x, y, anchor, edge.verdict, full_text
    )


def _measure(edge: EdgeReport) -> str:
    output = deciding_output(edge)
    measured = output is not None and (output.identical or output.sqnr_db is not None)
    return fidelity(edge) if measured else str(edge.verdict)


def _shortened(text: str) -> str:
    return text if len(text) <= _LABEL_MAX_CHARACTERS else text[: _LABEL_MAX_CHARACTERS - 1] + "…"


def _description(report: Report) -> str:
    return "; ".join(
        f"{short_title(e.expected)} to {short_title(e.actual)}: {e.verdict}, {fidelity(e)}" for e in report.edges
    )
