"""``zoo.md``: what needs attention, what changed and a table of all models, for a CI job's summary."""

from __future__ import annotations

from collections.abc import Iterator

from convert.zoo.summary import cells
from convert.zoo.summary.attention import Group, groups
from convert.zoo.summary.diff import Direction, ZooDiff, describe, describe_latency, describe_tolerance, summarise
from convert.zoo.summary.standing import exit_code
from convert.zoo.summary.types import Standing, ZooReport, ZooRow
from verify.report import words
from verify.report.cards import SYMBOLS
from verify.report.markdown import plain
from verify.report.types import Verdict

MAX_BYTES = 1_000_000
"""GitHub drops a job summary above 1 MiB."""

_CAUSES_SHOWN = 20
_NAMES_SHOWN = 10
_CHANGES_SHOWN = 40
_TEXT_CHARACTERS = 500


def render_markdown(report: ZooReport, changes: ZooDiff | None = None) -> str:
    """GitHub-flavoured Markdown; names stay text. A table that would grow too long ends with what is left out."""
    verdict = cells.verdict(exit_code(report.rows))
    lines = [f"## {SYMBOLS[verdict]} {plain(report.name)}: {plain(report.headline)}", "", _facts(report)]
    if verdict is not Verdict.PASS:
        lines += ["", "### What needs attention"]
        for group in groups(report.rows):
            lines += ["", *_group(group)]
    if changes is not None:
        lines += ["", *_changes(changes)]
    if report.rows:
        head = "\n".join(lines)
        lines += ["", "### All models", "", *_table(report, MAX_BYTES - len(head.encode()))]
    return "\n".join(lines) + "\n"


def _facts(report: ZooReport) -> str:
    tally = [cells.tally(standing, number) for standing, number in cells.counts(report.rows)]
    run = f"{cells.duration(report.wall_seconds)} on {report.engine}"
    shard = [f"shard {report.shard}"] if report.shard else []
    return plain(" · ".join([*tally, run, *shard]))


def _group(group: Group) -> list[str]:
    heading = f"{cells.SYMBOLS[group.standing]} {group.standing}"
    told = f": {group.label}" if group.standing in {Standing.FAIL, Standing.EXPIRED} else ""
    lines = [f"**{heading}{plain(told)}** ({words.count(len(group.rows), 'model')})", ""]
    for cause in group.causes[:_CAUSES_SHOWN]:
        names = ", ".join(f"**{plain(row.id)}**" for row in cause.rows[:_NAMES_SHOWN])
        more = f" and {len(cause.rows) - _NAMES_SHOWN:,} more" if len(cause.rows) > _NAMES_SHOWN else ""
        fix = f" *Fix:* {_short(cause.fix)}" if cause.fix else ""
        lines.append(f"- {names}{more}: {_short(cause.why)}{fix}")
    if len(group.causes) > _CAUSES_SHOWN:
        lines.append(f"- … and {len(group.causes) - _CAUSES_SHOWN:,} more causes")
    return lines


def _changes(changes: ZooDiff) -> list[str]:
    lines = [f"### Since {plain(changes.earlier)}", "", f"{plain(summarise(changes))}."]
    for heading, direction in (
        ("Regressions", Direction.REGRESSION),
        ("Progressions", Direction.PROGRESSION),
        ("Other changes", Direction.CHANGE),
    ):
        told = [f"- **{plain(it.id)}** {plain(describe(it))}" for it in changes.of(direction)]
        lines += _listed(heading, told)
    lines += _listed("New", [f"- {plain(id_)}" for id_ in changes.new])
    lines += _listed("Missing", [f"- {plain(id_)}" for id_ in changes.missing])
    latency = f" {describe_latency(changes.latency)}" if changes.latency else ""
    return [*lines, "", plain(f"A regression is: {describe_tolerance(changes.tolerance)}.{latency}")]


def _listed(heading: str, items: list[str]) -> list[str]:
    if not items:
        return []
    more = [f"- … and {len(items) - _CHANGES_SHOWN:,} more"] if len(items) > _CHANGES_SHOWN else []
    return ["", f"**{heading}** ({len(items):,})", "", *items[:_CHANGES_SHOWN], *more]


def _table(report: ZooReport, room_bytes: int) -> Iterator[str]:
    names = cells.target_names(report)
    heads = [f"{cells.target_title(name)}" for name in names]
    yield f"| model | standing | {' | '.join([*heads, 'time', 'memory'])} |"
    yield f"|---|---|{'--:|' * (len(names) + 2)}"
    left = room_bytes - 1_000
    for index, row in enumerate(report.rows):
        line = _line(row, names)
        left -= len(line.encode()) + 1
        if left < 0:
            yield f"\n… and {len(report.rows) - index:,} more models, in zoo.csv."
            return
        yield line


def _line(row: ZooRow, names: tuple[str, ...]) -> str:
    made = {target.name: cells.target_cells(target) for target in cells.targets(row)}
    numbers = []
    for name in names:
        it = made.get(name)
        told = (it.size, it.sqnr, it.top1, it.mark) if it else ()
        numbers.append(" · ".join(text for text in told if text and text != words.NOTHING) or words.NOTHING)
    result = row.result
    spent = (cells.duration(result.seconds), words.size(result.peak_memory_bytes)) if result else (words.NOTHING,) * 2
    return f"| {' | '.join(plain(cell) for cell in (row.id, cells.standing_text(row), *numbers, *spent))} |"


def _short(text: str) -> str:
    return plain(text if len(text) <= _TEXT_CHARACTERS else f"{text[:_TEXT_CHARACTERS]}…")
