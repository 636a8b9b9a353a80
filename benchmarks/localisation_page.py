"""The rows of docs/localisation.md, and the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NAMED = ("op", "successor")
_NOT_COUNTED = ("unseen", "aborts", "clean", "false alarm")


@dataclass(frozen=True)
class Row:
    """One fault: which op has it, which op was named, and whether that is it (``op``) or reads it (``successor``).

    A pair without a fault has the fault ``none`` and is ``clean`` or a ``false alarm``.
    """

    net: str
    pair: str
    fault: str
    op: int
    named: str
    verdict: str
    layers: int
    size_db: float | None = None
    """The op with the fault against the op without it, fed the same; ``None`` where it is nothing, or all."""
    held_out: bool = False


def counted(rows: Sequence[Row]) -> list[Row]:
    """Those with a fault that can be seen."""
    return [row for row in rows if row.verdict not in _NOT_COUNTED]


def share(rows: Sequence[Row]) -> float:
    """How many of the faults that count are named: 0 to 1."""
    own = counted(rows)
    return sum(row.verdict in NAMED for row in own) / len(own) if own else 0.0


def render(rows: Sequence[Row], unseen_db: float) -> str:
    """The page."""
    groups = {
        "The nets that it was built on": [row for row in rows if not row.held_out],
        "Held out: nets that it was not built on": [row for row in rows if row.held_out],
    }
    lines = ["# Which op is wrong", ""]
    for title, own in groups.items():
        lines += [f"**{title}.** {_sentence(own)}", ""] if own else []
    lines += [
        "Not counted, whether named or not: faults that cannot be seen (fed the same, the op with the fault and the op "
        f"without it differ by less than {unseen_db:g} dB below the signal, in an int8 file by less than what "
        "quantization itself does to that op there; or no output of the model changes beyond rounding), and files "
        "with which the runtime ends its own process, so that no layers can be compared. "
        "Made by `make localisation`.",
        "",
    ]
    for title, own in groups.items():
        lines += [f"## {title}", "", *_by_pair(own), "", *_table(own), ""] if own else []
    return "\n".join(lines).rstrip() + "\n"


def _sentence(rows: Sequence[Row]) -> str:
    own = counted(rows)
    named = [row for row in own if row.verdict in NAMED]
    exact = sum(row.verdict == "op" for row in named)
    clean = [row for row in rows if row.fault == "none"]
    alarms = sum(row.verdict == "false alarm" for row in clean)
    aborts = sum(row.verdict == "aborts" for row in rows)
    unseen = sum(row.verdict == "unseen" for row in rows)
    return (
        f"A fault in one op, {len(own)} times, over {len({row.net for row in rows})} nets: the layer comparison names "
        f"that op {exact} times and an op that reads it {len(named) - exact} times, **{len(named)} of {len(own)}** "
        f"together ({unseen} more cannot be seen, {aborts} end the runtime). Of {len(clean)} pairs without a fault, "
        f"{alarms} had an op named."
    )


def _by_pair(rows: Sequence[Row]) -> list[str]:
    lines = ["| trusted → judged | faults | named |", "|---|---|---|"]
    faults = counted(rows)
    for pair in dict.fromkeys(row.pair for row in faults):
        own = [row for row in faults if row.pair == pair]
        lines.append(f"| {pair} | {len(own)} | {sum(row.verdict in NAMED for row in own)} |")
    return lines


def _table(rows: Sequence[Row]) -> list[str]:
    return [
        "| net | trusted → judged | fault | op | size (dB) | named | verdict |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {row.net} | {row.pair} | {row.fault} | {row.op} "
            f"| {'–' if row.size_db is None else f'{row.size_db:.0f}'} | {row.named} | {row.verdict} |"
            for row in rows
            if row.fault != "none"
        ),
    ]
