"""What a person sees after ``verify``: the verdict first, a line an edge, what is wrong, what was left open."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from verify.report import cards, words
from verify.report.types import EdgeKind, EdgeReport, OutputComparison, Verdict
from verify.report.verification import Drift, Verification
from verify.report.verification_cards import drifts_to_tell, layer_name

_STYLES = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INCONCLUSIVE: "yellow"}
_INDENT = (0, 0, 0, 2)
_WIDEST = 250
"""Columns of a table that goes to a file; a terminal folds what does not fit it."""


def render_verification(verification: Verification, console: Console, *, html_path: Path | None = None) -> None:
    """Print it; reads the same without colour. Every string goes through :func:`_text`, never through markup."""
    verdict = verification.verdict
    line = _text(console, f"{cards.SYMBOLS[verdict]} {verdict.upper()}", f"bold {_STYLES[verdict]}")
    console.print(line.append("  ").append_text(_text(console, verification.headline, "bold")), soft_wrap=True)
    if verification.edges:
        console.print()
        table = Padding(_table(verification, console), _INDENT)
        widest = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
        if not console.is_terminal:
            console.width = max(console.width, widest)
        console.print(table)
    _section(console, "Wrong:" if verdict is Verdict.FAIL else "Open:", _troubles(verification))
    if verification.baseline is not None:
        none = "recorded by this run" if verification.baseline.recorded else "what it records has not drifted further"
        told = [_drift_line(drift) for drift in drifts_to_tell(verification)] or [none]
        _section(console, f"Against {verification.baseline.file}:", told)
    _section(console, "Where they part:", _culprits(verification))
    _section(console, "Fed:", _fed(verification))
    _section(console, "Noted:", list(verification.notes))
    refusals = [f"{it.subject}: {it.reason}" + (f" ({it.remedy})" if it.remedy else "") for it in verification.refusals]
    _section(console, "Not done, and why:", refusals)
    _section(console, "Next:", list(verification.next_steps))
    if html_path is not None:
        _section(console, "Report:", [str(html_path)])


def _table(verification: Verification, console: Console) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("model", overflow="fold")
    table.add_column("against", overflow="fold")
    for heading in ("SQNR", "× floor", "top-1"):
        table.add_column(_text(console, heading), justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for edge in verification.edges:
        worst = _worst_output(edge)
        floors = words.times(worst.noise_floor_multiple) if edge.kind is EdgeKind.FLOAT and worst else words.NOTHING
        cells = (edge.actual, edge.expected, _fidelity(worst), floors, words.percent(edge.top1_agreement))
        mark = _text(console, f"{cards.SYMBOLS[edge.verdict]} {edge.verdict}", _STYLES[edge.verdict])
        table.add_row(*(_text(console, cell) for cell in cells), mark)
    return table


def _worst_output(edge: EdgeReport) -> OutputComparison | None:
    """The one that is furthest off: a failure that left nothing to measure first, then the lowest SQNR."""
    ranked = sorted(edge.outputs, key=_quality)
    return ranked[0] if ranked else None


def _quality(output: OutputComparison) -> tuple[int, float]:
    rank = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS).index(output.verdict)
    return rank, float("inf") if output.sqnr_db is None else output.sqnr_db


def _fidelity(output: OutputComparison | None) -> str:
    if output is None:
        return words.NOTHING
    return "identical" if output.identical else words.decibels(output.sqnr_db)


def _troubles(verification: Verification) -> list[str]:
    return [
        f"{cards.SYMBOLS[output.verdict]} {edge.actual} against {edge.expected}, output {output.name}: "
        f"{output.explanation} Judged against: {edge.budget}."
        for edge in verification.edges
        for output in edge.outputs
        if output.verdict is not Verdict.PASS
    ]


def _drift_line(drift: Drift) -> str:
    return f"{drift.standing}: {drift.actual} against {drift.expected}, output {drift.output}: {drift.explanation}"


def _culprits(verification: Verification) -> list[str]:
    lines = []
    for it in verification.localisations:
        if it.culprit is not None:
            kept = f" It fails alone: {it.culprit.reproducer}" if it.culprit.reproducer else ""
            where = layer_name(it.culprit.layer)
            lines.append(f"{it.actual} against {it.expected}: {where}. {it.culprit.explanation}{kept}")
    return lines


def _fed(verification: Verification) -> list[str]:
    lines = [verification.samples]
    for it in verification.inputs:
        shapes = ", ".join("×".join(map(str, shape)) for shape in it.shapes)
        values = f", {it.low:.3g} to {it.high:.3g}" if it.low is not None and it.high is not None else ""
        lines.append(f"{it.name}: {it.dtype} {shapes}{values}")
    lines += _gaps(verification)
    budgets = dict.fromkeys(edge.budget for edge in verification.edges)
    return lines + [f"judged against: {budget}" for budget in budgets]


def _gaps(verification: Verification) -> list[str]:
    """What no input was fed once for all; what one alone was not, under its name."""
    gaps = dict.fromkeys(gap for it in verification.inputs for gap in it.gaps)
    lines = []
    for gap in gaps:
        names = [it.name for it in verification.inputs if gap in it.gaps]
        where = "" if len(names) == len(verification.inputs) else f" for {', '.join(names)}"
        lines.append(f"left open{where}: {gap}")
    return lines


def _section(console: Console, heading: str, lines: list[str]) -> None:
    if not lines:
        return
    console.print()
    console.print(_text(console, heading, "bold"))
    for line in lines:
        console.print(_text(console, f"  {line}"), soft_wrap=True)


def _text(console: Console, text: str, style: str = "") -> Text:
    """Text that this terminal can show, whatever a hostile model put into a name."""
    return Text(words.printable(text).encode(console.encoding, "replace").decode(console.encoding), style)
