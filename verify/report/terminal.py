"""The summary that a person sees after a run: the verdict, a line a file, what is wrong, where the page is."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from verify.report import cards, console_text, words
from verify.report.types import Report, Verdict

_STYLES = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INCONCLUSIVE: "yellow"}
_INDENT = (0, 0, 0, 2)


def render_summary(report: Report, console: Console, *, html_path: Path | None = None) -> None:
    """Print the summary; fits 80 columns and reads the same without colour."""
    summary = _Summary(console)
    summary.verdict(report)
    if report.artifacts:
        summary.files(report)
    troubles = cards.troubles(report)
    summary.section("Wrong:" if report.verdict == Verdict.FAIL else "Open:", [_trouble_line(it) for it in troubles])
    summary.section("Ways tried:", _rung_lines(report))
    summary.section("Not done, and why:", _refusal_lines(report))
    summary.section("Next:", list(report.next_steps))
    if html_path is not None:
        summary.place(html_path)


class _Summary:
    """Prints parts on one console. Every string of the report goes through :meth:`_text`, never through markup."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def verdict(self, report: Report) -> None:
        line = self._text(
            f"{cards.SYMBOLS[report.verdict]} {report.verdict.upper()}", f"bold {_STYLES[report.verdict]}"
        )
        self._console.print(line.append("  ").append_text(self._text(report.headline, "bold")))

    def files(self, report: Report) -> None:
        reference = cards.short_title(cards.reference(report))
        table = console_text.plain_table()
        table.add_column("file", overflow="fold")
        for heading in ("size", "of float32", f"vs {reference}", "top-1", "latency"):
            table.add_column(self._text(heading), justify="right", overflow="fold")
        table.add_column("verdict", no_wrap=True)
        for card in cards.ship_cards(report):
            top1 = card.edge.top1_agreement if card.edge else None
            numbers = (
                words.size(card.artifact.size_bytes),
                words.share(card.relative_size),
                card.fidelity,
                words.percent(top1),
                words.milliseconds(card.artifact.latency_ms),
            )
            name = self._text(cards.short_title(card.artifact.name))
            table.add_row(name, *(self._text(number) for number in numbers), self._mark(card.artifact.verdict))
        self._console.print()
        self._console.print(Padding(table, _INDENT))

    def section(self, heading: str, lines: list[str]) -> None:
        if not lines:
            return
        self._console.print()
        self._console.print(self._text(heading, "bold"))
        for line in lines:
            self._console.print(Padding(self._text(line), _INDENT))

    def place(self, html_path: Path) -> None:
        self._console.print()
        self._console.print(self._text(f"Report: {html_path}"), soft_wrap=True)

    def _mark(self, verdict: Verdict | None) -> Text:
        if verdict is None:
            return self._text("not judged", "dim")
        return self._text(f"{cards.SYMBOLS[verdict]} {verdict}", _STYLES[verdict])

    def _text(self, text: str, style: str = "") -> Text:
        return console_text.text(self._console, text, style)


def _trouble_line(trouble: cards.Trouble) -> str:
    where = f"{cards.short_title(trouble.artifact_name)}, output {trouble.output_name}"
    why = f": {trouble.explanations[-1]}" if trouble.explanations else ""
    return f"{cards.SYMBOLS[trouble.verdict]} {where}: {trouble.failure}{why}"


def _rung_lines(report: Report) -> list[str]:
    """Each way and what it came to, where there is more to say than that the first one was right."""
    if not any(rung.reason for rung in report.rungs):
        return []
    lines = []
    for rung in report.rungs:
        why = f" ({rung.reason})" if rung.reason else ""
        lines.append(f"{words.way(rung.exporter, rung.lowering)}: {cards.WAYS[rung.outcome]}{why}")
    return lines


def _refusal_lines(report: Report) -> list[str]:
    lines = []
    for refusal in report.refusals:
        times = f" ×{refusal.count}" if refusal.count != 1 else ""
        remedy = f" ({refusal.remedy})" if refusal.remedy else ""
        lines.append(f"{refusal.stage}: {refusal.subject}{times}: {refusal.reason}{remedy}")
    return lines
