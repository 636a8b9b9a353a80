"""The coverage table as Markdown: totals by group, what was promised and what was seen, then every model."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from coverage_promises import lowering_speedup, promises
from coverage_types import LEAST_FLOAT_DB, Onnx2tf, Row, Status, by_group

WRONG_BELOW_DB = 40.0
"""An output this far from the ONNX model's is another function's: a file that says so to nobody is a wrong one."""

COLUMNS = (
    "model",
    "edges dB: ONNX · SavedModel · float32 · worst",
    "batch 1, 2, 5",
    "ops",
    "transposes",
    "Flex",
    "float32 ms",
    "int8 dB",
    "s",
    "GB",
    "rung",
    "onnx2tf: dB at 1 · 2 · 5",
    "its ops",
    "its transposes",
    "ours/its ms",
    "its s / ours",
)

LEGEND = f"""\
Weights are random: batch norms settled on noise, residual branches a tenth of their skip, which keeps the rounding of
PyTorch itself from growing with depth as it does not in trained nets. All is measured against PyTorch in float32.
**Edges** are SQNR in dB of the ONNX model, the SavedModel and the float32 TFLite file against PyTorch, and the
worst of all float edges (those between neighbours too); `=` is bit-identical. A model is **exact** when every
float edge keeps its budget (a multiple of the measured noise floor) and {LEAST_FLOAT_DB:.0f} dB, at batch 1, 2
and 5. **int8** is calibrated on photographs where a net takes one picture (random numbers otherwise) and judged
on others; it is of a random net, which is harder than a trained one. **s** and **GB** are of the whole job:
float32 and int8, every edge judged. The **rung** is the exporter and the lowering that the files were made by.
**onnx2tf** is its default road on our ONNX file, its saving left out (which changes no op); its dB are against
onnxruntime, any order of an output's axes allowed, `×` where LiteRT cannot run its file at that batch.
**ours/its ms** is latency at batch 1, one process, by turns, one thread. **its s / ours** is ONNX to its Keras
model in memory over ONNX to our SavedModel on disk.
"""


def render(rows: Sequence[Row], code: str, versions: Iterable[tuple[str, str]]) -> str:
    """The page."""
    parts = ["# Coverage: every architecture of the zoos", "", "Made by `make coverage`.", "", _measured_at(rows, code)]
    parts += ["", f"Versions now: {', '.join(f'{name} {version}' for name, version in versions)}.", "", _totals(rows)]
    parts += ["", "## Promises", "", *_table(("promise", "seen", ""), [_promise(*each) for each in promises(rows)])]
    parts += ["", LEGEND]
    for group, of_group in by_group(rows):
        parts += [f"## {group}", "", *_group(of_group), ""]
    parts += _beside_litert_torch(rows)
    return "\n".join(parts).rstrip() + "\n"


def _measured_at(rows: Sequence[Row], code: str) -> str:
    ran = [row for row in rows if row.finished]
    if not ran:
        return "Nothing was run yet."
    days = sorted(row.finished[:10] for row in ran)
    commits = Counter(row.commit or "an unknown commit" for row in ran)
    older = sum(row.code != code for row in ran)
    waiting = sum(row.status is Status.NOT_RUN for row in rows)
    text = f"{len(ran)} models ran between {days[0]} and {days[-1]}, at "
    text += ", ".join(f"{commit} ({count})" for commit, count in commits.most_common())
    text += f"; {older} of these rows are of older code than the one that wrote this page." if older else "."
    return text + (f" **{waiting} models were not run yet.**" if waiting else "")


def _totals(rows: Sequence[Row]) -> str:
    header = ("group", "models", "not run", "exact", "converted", "failed", "refused", "dynamic batch")
    header += ("no transpose", "int8 loads", "int8 dB, median", "onnx2tf exact", "onnx2tf wrong", "onnx2tf stops")
    groups = [*by_group(rows), *([("**all**", list(rows))] if len(rows) > 1 else [])]
    return "\n".join(_table(header, [_total(group, of_group) for group, of_group in groups]))


def _total(group: str, rows: list[Row]) -> tuple[str, ...]:
    by_status = Counter(row.status for row in rows)
    ran = len(rows) - by_status[Status.NOT_RUN] - by_status[Status.REFUSED]
    made = [row for row in rows if row.status in {Status.EXACT, Status.CONVERTED}]
    quantized = [row for row in made if row.int8_loads is not None]
    theirs = [row.onnx2tf for row in rows if row.onnx2tf is not None]
    return (
        group,
        str(len(rows)),
        _count(by_status[Status.NOT_RUN]),
        f"{by_status[Status.EXACT]} of {ran}" + (f" ({by_status[Status.EXACT] / ran:.0%})" if ran else ""),
        *(_count(by_status[status]) for status in (Status.CONVERTED, Status.FAILED, Status.REFUSED)),
        f"{sum(row.dynamic_batch for row in made)} of {len(made)}",
        str(sum(row.transposes == 0 for row in made)),
        f"{sum(bool(row.int8_loads) for row in quantized)} of {len(quantized)}",
        _median([row.int8_db for row in quantized if row.int8_db is not None], "{:.1f}"),
        f"{sum(map(_is_exact, theirs))} of {len(theirs)}",
        _count(sum(map(_is_wrong, theirs))),
        _count(sum(bool(each.error) for each in theirs)),
    )


def _promise(promise: str, seen: str, holds: bool | None) -> tuple[str, str, str]:
    return promise, seen, "not known yet" if holds is None else "holds" if holds else "**does not hold**"


def _group(rows: Sequence[Row]) -> list[str]:
    """The table of what was made, then a line for each that was not."""
    made = [row for row in rows if row.status in {Status.EXACT, Status.CONVERTED}]
    lines = _table(COLUMNS, [_cells(row) for row in made]) if made else []
    not_exact = [row for row in rows if row.why]
    if not_exact:
        lines += [*([""] if lines else []), *(f"- **{row.id}**, {row.status}: {row.why}" for row in not_exact)]
    without_int8 = [row for row in rows if row.int8_why]
    if without_int8:
        lines += ["", *(f"- **{row.id}**, no int8 file: {row.int8_why}" for row in without_int8)]
    left = [row for row in rows if row.left_rungs]
    if left:
        lines += ["", *(f"- **{row.id}**, by {row.rung}; left: {'; '.join(row.left_rungs)}" for row in left)]
    waiting = [row.id for row in rows if row.status is Status.NOT_RUN]
    if waiting:
        lines += [*([""] if lines else []), f"Not run yet: {', '.join(waiting)}."]
    return lines


def _beside_litert_torch(rows: Sequence[Row]) -> list[str]:
    peers = [(row.id, row.litert_torch) for row in rows if row.litert_torch is not None]
    if not peers:
        return []
    header = ("model", "its s", "our s", "ours/its s", "its ms", "our ms", "ours/its ms")
    lines = []
    for name, peer in peers:
        times = peer.our_seconds / peer.seconds if peer.seconds and peer.our_seconds else None
        seconds = (_number(peer.seconds, "{:.1f}"), _number(peer.our_seconds, "{:.1f}"), _number(times, "{:.2f}"))
        files = (_number(peer.theirs_ms, "{:.1f}"), _number(peer.ours_ms, "{:.1f}"), _number(peer.ratio, "{:.2f}"))
        lines.append((name, *seconds, *files))
    stops = [f"- **{name}**: {peer.error}" for name, peer in peers if peer.error]
    about = f"litert-torch {peers[0][1].version}, float32 at a fixed batch of 1, a script of a dozen lines; ours is "
    about += "the whole `convert pth2tflite`: dynamic batch; float32, float16, dynamic-range int8; every edge judged."
    return ["## Beside litert-torch", "", about, "", *_table(header, lines), *([""] if stops else []), *stops, ""]


def _cells(row: Row) -> tuple[str, ...]:
    its = row.onnx2tf
    speedup = lowering_speedup(row)
    edges = [_db(row.edges_db.get(name), known=name in row.edges_db) for name in ("onnx", "saved_model", "float32")]
    return (
        row.id if row.status is Status.EXACT else f"{row.id} ({row.status})",
        " · ".join((*edges, f"**{_db(row.worst_float_db)}**")),
        "yes" if row.dynamic_batch else "no",
        _number(row.ops),
        _number(row.transposes),
        ", ".join(row.flex) or "–",
        _number(row.float32_ms, "{:.1f}"),
        "–" if row.int8_loads is None else _db(row.int8_db) if row.int8_loads else "none",
        _number(row.seconds, "{:.0f}"),
        _number(row.peak_bytes and row.peak_bytes / 1e9, "{:.1f}"),
        row.rung or "–",
        _their_result(its),
        _number(its and its.ops),
        _number(its and its.transposes),
        _number(its and its.ratio, "{:.2f}"),
        _number(speedup, "{:.1f}×"),
    )


def _their_result(its: Onnx2tf | None) -> str:
    if its is None:
        return "–"
    if its.error:
        return f"stops: {its.error}".replace("|", "\\|")
    text = " · ".join(f"{its.sqnr_db[size]:.0f}" if size in its.sqnr_db else "×" for size in ("1", "2", "5"))
    return f"**wrong: {text}**" if _is_wrong(its) else text


def _is_exact(its: Onnx2tf) -> bool:
    return not its.error and len(its.sqnr_db) == 3 and min(its.sqnr_db.values()) >= LEAST_FLOAT_DB


def _is_wrong(its: Onnx2tf) -> bool:
    return not its.error and any(value < WRONG_BELOW_DB for value in its.sqnr_db.values())


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    line = "|" + "|".join("---" if index == 0 else "--:" for index in range(len(header))) + "|"
    return [f"| {' | '.join(header)} |", line, *(f"| {' | '.join(row)} |" for row in rows)]


def _db(value: float | None, *, known: bool = True) -> str:
    return f"{value:.0f}" if value is not None else "=" if known else "–"


def _number(value: float | None, form: str = "{:d}") -> str:
    return form.format(value) if value is not None else "–"


def _count(value: int) -> str:
    return str(value) if value else "–"


def _median(values: Sequence[float], form: str) -> str:
    return form.format(statistics.median(values)) if values else "–"
