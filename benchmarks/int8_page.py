"""The int8 table as Markdown: what was promised and what was seen, then every subject."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from int8_promises import BATCHES, below_ceiling, promises
from int8_types import CEILINGS, ENGINES, TITLES, Column, Int8Row, Quality

LEGEND = """\
Trained subjects (`examples/int8/`) are nets for handwritten digits, judged on digits that none of them was trained or
calibrated on; the others are torchvision's with random weights, batch norm re-estimated on photo crops, judged on other
crops. All engines get the same float net and the same samples. **dB** is SQNR against the float32 file, of the worst
output; **drop** is how much the task's measure falls, in points, with its paired 95 % confidence interval (top-1:
Agresti and Min's; others: bootstrap). **×** is latency over the float32 file's at batch 1 on one thread, all files
taking turns in one process. **batches** are those of 1, 2 and 5 that the file runs at and gives the same for.
(d) looks for what to lift to float on samples of their own, that neither calibrate nor judge here.
**Weights alone** and **activations alone** are the ceilings of (c): the float file with its constants, or its
activations, rounded as our int8 file stores them.
"""


def render(rows: Sequence[Int8Row]) -> str:
    """The page."""
    lines = [
        "# int8: four engines on the same nets and samples",
        "",
        f"Made by `make int8-table`, {time.strftime('%Y-%m-%d')}.",
        "",
    ]
    lines += [*_table(("promise", "seen", ""), [_promise(*each) for each in promises(rows)]), ""]
    lines += [*filter(None, [below_ceiling(rows)]), "", LEGEND]
    header = ["net", "measure", "float", *(f"{TITLES[engine]}: dB, drop" for engine in ENGINES)]
    header += [f"{kind} alone, dB" for kind in CEILINGS]
    lines += ["## Accuracy", "", *_table(header, map(_accuracy, rows)), ""]
    header = ["net", "float: kB, ms", *(f"{TITLES[engine]}: kB, ×, s" for engine in ENGINES)]
    lines += ["## Size, latency and time to make", "", *_table(header, map(_cost, rows)), ""]
    header = ["net", *(f"{TITLES[engine]}" for engine in ENGINES)]
    lines += [
        "## Batches, share of multiply-accumulates in int8, and ops left in float",
        "",
        *_table(header, map(_running, rows)),
        "",
    ]
    failures = [
        f"- {row.name}, {TITLES[each.engine]}: {each.failed}" for row in rows for each in row.columns if each.failed
    ]
    lines += ["## What failed", "", *failures, ""] if failures else []
    return "\n".join(lines).rstrip() + "\n"


def _promise(promise: str, seen: str, holds: bool) -> tuple[str, str, str]:
    return promise, seen, "holds" if holds else "**does not hold**"


def _accuracy(row: Int8Row) -> list[str]:
    metric = "—" if row.float_metric is None else f"{row.float_metric:.1%}"
    columns = [_quality_cell(row.column(engine)) for engine in ENGINES]
    ceilings = {each.kind: each for each in row.ceilings}
    alone = [_db(ceilings[kind].quality) if kind in ceilings else "—" for kind in CEILINGS]
    return [row.name, f"{row.measure} of {row.samples}" if row.measure else "SQNR", metric, *columns, *alone]


def _quality_cell(column: Column | None) -> str:
    if column is None:
        return "—"
    if column.quality is None:
        return "fails"
    found = column.quality
    if found.drop is None or found.drop_low is None or found.drop_high is None:
        return _db(found)
    interval = f"{100 * found.drop_low:+.1f} … {100 * found.drop_high:+.1f}"
    return f"{_db(found)}, {100 * found.drop:+.1f} ({interval})"


def _db(found: Quality | None) -> str:
    return "—" if found is None or found.sqnr_db is None else f"{found.sqnr_db:.1f}"


def _cost(row: Int8Row) -> list[str]:
    return [row.name, f"{row.float_bytes / 1e3:.0f}, {row.float_ms:.2f}", *(_cost_cell(row.column(e)) for e in ENGINES)]


def _cost_cell(column: Column | None) -> str:
    if column is None or column.size_bytes is None:
        return "—"
    times = "—" if column.latency_to_float is None else f"{column.latency_to_float:.2f}"
    return f"{column.size_bytes / 1e3:.0f}, {times}, {column.seconds:.1f}"


def _running(row: Int8Row) -> list[str]:
    return [row.name, *(_running_cell(row.column(engine)) for engine in ENGINES)]


def _running_cell(column: Column | None) -> str:
    if column is None or column.quality is None:
        return "—"
    batches = "1, 2, 5" if column.batches == BATCHES else f"**only {', '.join(map(str, column.batches)) or 'none'}**"
    share = "" if column.int8_macs is None else f", {column.int8_macs:.0%}"
    return f"{batches}{share}" + (f"; float: {', '.join(column.float_ops)}" if column.float_ops else "")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
