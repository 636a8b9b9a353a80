"""A page of sections, lists and tables in a terminal, long ones cut."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from verify.report import words

_SHOWN = 8
_LONGEST = 500
_INDENT = (0, 0, 0, 2)


class Page:
    """Prints parts on one console; every string of a file loses what a terminal would obey."""

    def __init__(self, console: Console, everything: bool) -> None:
        self._console = console
        self._everything = everything
        self._cut = False

    def line(self, text: str, style: str = "") -> None:
        """One line; what is longer than any name is cut."""
        self._console.print(self._plain(text, style), soft_wrap=True)

    def section(self, heading: str, lines: Sequence[str]) -> None:
        """A heading and lines; nothing where there are none."""
        if not lines:
            return
        self.heading(heading)
        self.lines([f"  {line}" for line in lines])

    def lines(self, lines: Sequence[str]) -> None:
        """As many as are shown of a list."""
        shown = self._shown(len(lines))
        for line in lines[:shown]:
            self.line(line)
        self._rest(len(lines) - shown)

    def heading(self, heading: str) -> None:
        """A heading alone."""
        self._console.print()
        self.line(heading, "bold")

    def table(self, heading: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """The first column is on the left and folds, as the last does; the others are numbers."""
        if not rows:
            return
        self.heading(heading)
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        for at, column in enumerate(columns):
            left = at in {0, len(columns) - 1}
            table.add_column(column, justify="left" if left else "right", overflow="fold")
        shown = self._shown(len(rows))
        for row in rows[:shown]:
            table.add_row(*(self._plain(cell) for cell in row))
        self._console.print(Padding(table, _INDENT))
        self._rest(len(rows) - shown)

    def _shown(self, entries: int) -> int:
        return entries if self._everything or entries <= _SHOWN + 1 else _SHOWN

    def _rest(self, left: int) -> None:
        if left > 0:
            self._cut = True
            self.line(f"  … and {left} more", "dim")

    def hint(self) -> None:
        """How to see what was cut, where something was."""
        if self._cut:
            self._console.print()
            self.line("--all shows the lists whole.", "dim")

    def _plain(self, text: str, style: str = "") -> Text:
        if len(text) > _LONGEST and not self._everything:
            self._cut = True
            text = f"{text[:_LONGEST]}…"
        return Text(words.printable(text), style)
