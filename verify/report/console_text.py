"""Lines and tables on a console: safe whatever a model is called, folded on a terminal, whole in a file."""

from __future__ import annotations

from rich.console import Console, OverflowMethod
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from verify.report import words

_INDENT = (0, 0, 0, 2)
_HANGING = 2
_WIDEST = 250
"""Columns of a table that goes to a file; a terminal folds what does not fit it."""


def section(console: Console, heading: str, lines: list[str]) -> None:
    """A heading and its lines; nothing without any."""
    if not lines:
        return
    console.print()
    console.print(text(console, heading, "bold"))
    print_lines(console, lines)


def print_lines(console: Console, lines: list[str], style: str = "") -> None:
    """Folded on a terminal, but for lines with a word (a path) that would have to be broken."""
    for line in lines:
        told = text(console, line, style)
        room = console.width - _INDENT[3] - _HANGING
        if console.is_terminal and max(map(len, line.split()), default=0) <= room:
            for at, part in enumerate(told.wrap(console, room)):
                part.rstrip()
                console.print(Padding(part, (0, 0, 0, _INDENT[3] + _HANGING * (at > 0)), expand=False))
        else:
            console.print(Text("  ").append_text(told), soft_wrap=True)


def can_show(console: Console, characters: str) -> bool:
    """Whether its encoding has them."""
    try:
        characters.encode(console.encoding)
    except UnicodeEncodeError:
        return False
    return True


def text(console: Console, told: str, style: str = "") -> Text:
    """Text that this terminal can show, whatever a hostile model put into a name."""
    return Text(words.printable(told).encode(console.encoding, "replace").decode(console.encoding), style)


def cut(console: Console) -> OverflowMethod:
    """How what does not fit is shortened, in characters that the console has."""
    return "ellipsis" if can_show(console, "…") else "crop"


def plain_table() -> Table:
    """Columns without lines."""
    return Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)


def print_table(console: Console, table: Table) -> None:
    """A file's lines are as long as they need to be; on a terminal that is too narrow, columns move together first."""
    indented = Padding(table, _INDENT, expand=False)
    width = Measurement.get(console, console.options.update(max_width=_WIDEST), indented).maximum
    if not console.is_terminal:
        console.width = max(console.width, width)
    elif width > console.width:
        table.padding = (0, 1, 0, 0)
    console.print(indented)
