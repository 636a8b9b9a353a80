"""What a person sees after ``verify``: the verdict first, a line an edge, what is wrong, what was left open."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from verify.report import cards, words
from verify.report.console_text import cut, plain_table, print_lines, print_table, section, text
from verify.report.text_waterfall import print_waterfall
from verify.report.types import EdgeKind, Verdict
from verify.report.verification import Drift, Localisation, Verification
from verify.report.verification_cards import Finding, drifts_to_tell, findings, layer_name

_STYLES = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INCONCLUSIVE: "yellow"}
_MOST_TROUBLES = 12


def render_verification(
    verification: Verification, console: Console, *, html_path: Path | None = None, layers: bool = False
) -> None:
    """Print it; reads the same without colour. ``layers`` asks for the course of the error through the models.

    Every string goes through :func:`verify.report.console_text.text`, never through markup. On a terminal lines are
    folded; in a file each is whole.
    """
    verdict = verification.verdict
    line = text(console, f"{cards.SYMBOLS[verdict]} {verdict.upper()}", f"bold {_STYLES[verdict]}")
    line.append("  ").append_text(text(console, verification.headline, "bold"))
    console.print(line, soft_wrap=not console.is_terminal)
    if verification.edges:
        console.print()
        print_table(console, _table(verification, console))
        print_lines(console, [_legend(verification)], style="dim")
    section(console, "Wrong:" if verdict is Verdict.FAIL else "Open:", _troubles(verification))
    if verification.baseline is not None:
        none = "recorded by this run" if verification.baseline.recorded else "what it records has not drifted further"
        told = [_drift_line(drift) for drift in drifts_to_tell(verification)] or [none]
        section(console, f"Against {verification.baseline.file}:", told)
    for where in _one_a_model(verification) if layers else ():
        print_waterfall(where, console)
    section(console, "Where they part:", _culprits(verification))
    section(console, "Fed:", _fed(verification))
    section(console, "Judged against:", _budgets(verification))
    section(console, "Noted:", list(verification.notes))
    refusals = [f"{it.subject}: {it.reason}" + (f" ({it.remedy})" if it.remedy else "") for it in verification.refusals]
    section(console, "Not done, and why:", list(dict.fromkeys(refusals)))
    section(console, "Next:", list(verification.next_steps))
    if html_path is not None:
        section(console, "Report:", [str(html_path)])


def _table(verification: Verification, console: Console) -> Table:
    table = plain_table()
    table.add_column("model", overflow="fold")
    table.add_column("against", overflow="fold")
    table.add_column("SQNR", justify="right", overflow="fold")
    for heading in ("× floor", "top-1"):
        table.add_column(text(console, heading), justify="right", overflow=cut(console), no_wrap=True)
    table.add_column("verdict", overflow=cut(console), no_wrap=True)
    for edge in verification.edges:
        worst = cards.deciding_output(edge)
        floors = words.times(worst.noise_floor_multiple) if edge.kind is EdgeKind.FLOAT and worst else words.NOTHING
        cells = (edge.actual, edge.expected, cards.fidelity(edge), floors, words.percent(edge.top1_agreement))
        mark = text(console, f"{cards.SYMBOLS[edge.verdict]} {edge.verdict}", _STYLES[edge.verdict])
        table.add_row(*(text(console, cell) for cell in cells), mark)
    return table


def _legend(verification: Verification) -> str:
    """What the columns mean, of those that say anything."""
    told = ["SQNR: signal over error, 20 dB a factor of ten"]
    if any(edge.kind is EdgeKind.FLOAT for edge in verification.edges):
        told.append("× floor: error over what float32 itself costs")
    if any(edge.top1_agreement is not None for edge in verification.edges):
        told.append("top-1: same largest score")
    return "; ".join(told)


def _troubles(verification: Verification) -> list[str]:
    wrong = [it for it in findings(verification) if it.verdict is not Verdict.PASS]
    lines = [_trouble_line(it) for it in wrong[:_MOST_TROUBLES]]
    more = len(wrong) - len(lines)
    return [*lines, f"and {more} more: all are in a report (--output FOLDER)"] if more else lines


def _trouble_line(finding: Finding) -> str:
    mark = cards.SYMBOLS[finding.verdict]
    if finding.edge is None:
        return f"{mark} {finding.explanation}"
    of = f", output {finding.output.name}" if finding.output is not None else ""
    return f"{mark} {finding.edge.actual} against {finding.edge.expected}{of}: {finding.explanation}"


def _drift_line(drift: Drift) -> str:
    return f"{drift.standing}: {drift.actual} against {drift.expected}, output {drift.output}: {drift.explanation}"


def _one_a_model(verification: Verification) -> list[Localisation]:
    """The one that has a culprit, or else the first, which is against its predecessor."""
    chosen: dict[str, Localisation] = {}
    for it in sorted(verification.localisations, key=lambda it: it.culprit is None):
        chosen.setdefault(it.actual, it)
    return [it for it in verification.localisations if chosen[it.actual] is it]


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
        values = f", from {it.low:.3g} to {it.high:.3g}" if it.low is not None and it.high is not None else ""
        lines.append(f"{it.name}: {it.dtype} {_shapes(it.shapes)}{values}")
    return lines + _gaps(verification)


def _shapes(shapes: tuple[tuple[int, ...], ...]) -> str:
    """``N×3×8×6 at batches of 1, 2 and 5`` where only the first axis differs."""
    if len(shapes) > 1 and len({shape[1:] for shape in shapes}) == 1 and all(shapes):
        sizes = words.joined(tuple(str(size) for size in sorted({shape[0] for shape in shapes})))
        return f"{'×'.join(['N', *map(str, shapes[0][1:])])} at batches of {sizes}"
    return ", ".join("×".join(map(str, shape)) for shape in shapes)


def _budgets(verification: Verification) -> list[str]:
    kinds = {EdgeKind.FLOAT: "float files", EdgeKind.QUANTIZED: "quantized files"}
    return list(dict.fromkeys(f"{kinds[edge.kind]}: {edge.budget}" for edge in verification.edges))


def _gaps(verification: Verification) -> list[str]:
    """What no input was fed once for all; what one alone was not, under its name."""
    gaps = dict.fromkeys(gap for it in verification.inputs for gap in it.gaps)
    lines = []
    for gap in gaps:
        names = [it.name for it in verification.inputs if gap in it.gaps]
        where = "" if len(names) == len(verification.inputs) else f" for {', '.join(names)}"
        lines.append(f"left open{where}: {gap}")
    return lines
