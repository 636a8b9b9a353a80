"""What a person sees after a run: the answer, what is not as expected and why, and where the page is."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from convert.zoo.result import Outcome
from convert.zoo.summary import cells
from convert.zoo.summary.attention import Cause, Group, groups
from convert.zoo.summary.diff import Change, Direction, ZooDiff, describe, describe_latency, summarise
from convert.zoo.summary.standing import exit_code
from convert.zoo.summary.types import Standing, ZooReport
from verify.report import words
from verify.report.cards import SYMBOLS
from verify.report.types import Verdict

_STYLES = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INCONCLUSIVE: "yellow"}
_INDENT = (0, 0, 0, 2)
_ROWS_SHOWN = 25
_NAMES_SHOWN = 4
_CHANGES_SHOWN = 10
_TEXT_CHARACTERS = 300


def render_summary(
    report: ZooReport, console: Console, html_path: Path | None = None, changes: ZooDiff | None = None
) -> None:
    """Print the summary; as long as what is wrong, however many models are right."""
    summary = _Summary(console)
    summary.answer(report)
    summary.attention(report)
    if changes is not None:
        summary.changes(changes)
    if html_path is not None:
        summary.place(html_path)


def render_changes(changes: ZooDiff, console: Console) -> None:
    """Print what changed between two runs."""
    _Summary(console).changes(changes)


class _Summary:
    """Prints parts on one console. Every string of the report goes through :meth:`_text`, never through markup."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def answer(self, report: ZooReport) -> None:
        verdict = cells.verdict(exit_code(report.rows))
        line = self._text(f"{SYMBOLS[verdict]} {verdict.upper()}", f"bold {_STYLES[verdict]}")
        self._console.print(line.append("  ").append_text(self._text(report.headline, "bold")))
        tally = [cells.tally(standing, number) for standing, number in cells.counts(report.rows)]
        self._console.print(self._text(" · ".join([*tally, f"took {cells.duration(report.wall_seconds)}"]), "dim"))

    def attention(self, report: ZooReport) -> None:
        causes = [(group, cause) for group in groups(report.rows) for cause in group.causes]
        if not causes:
            return
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        table.add_column("model", overflow="fold", max_width=32)
        table.add_column("outcome", no_wrap=True)
        table.add_column("why", overflow="fold", ratio=1)
        for group, cause in causes[:_ROWS_SHOWN]:
            told = self._text(_short(cause.why))
            if cause.fix:
                told.append_text(self._text(f"\nfix: {_short(cause.fix)}", "dim"))
            table.add_row(self._text(_names(cause)), self._mark(group), told)
        self._console.print()
        self._console.print(Padding(table, _INDENT))
        if len(causes) > _ROWS_SHOWN:
            left = sum(len(cause.rows) for _, cause in causes[_ROWS_SHOWN:])
            more = f"… and {words.count(left, 'more model')}, on the page"
            self._console.print(Padding(self._text(more), _INDENT))

    def changes(self, changes: ZooDiff) -> None:
        self._console.print()
        self._console.print(self._text(f"Since {changes.earlier}: {summarise(changes)}", "bold"))
        for direction, style in ((Direction.REGRESSION, "red"), (Direction.PROGRESSION, "green")):
            self._listed([_change_line(direction, it) for it in changes.of(direction)], style)
        self._listed([f"gone: {id_}" for id_ in changes.missing], "yellow")
        if changes.latency is not None:
            self._console.print(Padding(self._text(describe_latency(changes.latency), "dim"), _INDENT))

    def place(self, html_path: Path) -> None:
        self._console.print()
        self._console.print(self._text(f"Summary: {html_path}"), soft_wrap=True)

    def _listed(self, lines: list[str], style: str) -> None:
        for line in lines[:_CHANGES_SHOWN]:
            self._console.print(Padding(self._text(line, style), _INDENT))
        if len(lines) > _CHANGES_SHOWN:
            self._console.print(Padding(self._text(f"… and {len(lines) - _CHANGES_SHOWN:,} more", style), _INDENT))

    def _mark(self, group: Group) -> Text:
        told = group.label if group.standing is Standing.FAIL else str(group.standing)
        style = "yellow" if group.label == Outcome.INCONCLUSIVE else "red"
        return self._text(f"{cells.SYMBOLS[group.standing]} {told}", style)

    def _text(self, text: str, style: str = "") -> Text:
        """Text that this terminal can show, whatever a hostile model put into a name."""
        encoding = self._console.encoding
        lines = (words.printable(line) for line in text.split("\n"))
        return Text("\n".join(lines).encode(encoding, "replace").decode(encoding), style)


def _change_line(direction: Direction, change: Change) -> str:
    arrow = "↓" if direction is Direction.REGRESSION else "↑"
    return f"{arrow} {change.id} {describe(change)}"


def _names(cause: Cause) -> str:
    names = [row.id for row in cause.rows[:_NAMES_SHOWN]]
    more = f" and {len(cause.rows) - _NAMES_SHOWN:,} more" if len(cause.rows) > _NAMES_SHOWN else ""
    return ", ".join(names) + more


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_CHARACTERS else f"{text[:_TEXT_CHARACTERS]}…"
