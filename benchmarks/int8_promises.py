"""What the int8 table is to show, and what was seen."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence

from int8_types import MORE_DB, MOST_DROP, Column, Int8Row, Quality

Promise = tuple[str, str, bool]
"""What is promised, what was seen, and whether it holds."""

BATCHES = (1, 2, 5)
NOISE_DB = 0.5
"""Between two draws of evaluation samples."""
MEDIAN_GAIN_DB = 3.0
TIMED, MOST_PASSES = "torchvision:mobilenet_v2", 3.0
LEAST_INT8_MACS = 0.8
MOST_SEARCH_S = 120.0


def promises(rows: Sequence[Int8Row]) -> list[Promise]:
    """Those that the rows can tell something about."""
    return [*_of_ours(rows), *_of_budget(rows)]


def _of_ours(rows: Sequence[Int8Row]) -> Iterator[Promise]:
    gains = [(gain, row.name) for row in rows if (gain := gain_db(row)) is not None]
    drops = [drop for row in rows if (drop := _drop(row.column("ours"))) is not None]
    if gains:
        worst, name = min(gains)
        median = statistics.median(gain for gain, _ in gains)
        yield "(c) is not below the better of (a) and (b)", f"least: {worst:+.1f} dB ({name})", worst >= -NOISE_DB
        yield f"in the median ≥ {MEDIAN_GAIN_DB:g} dB above it", f"{median:+.1f} dB", median >= MEDIAN_GAIN_DB
    if drops:
        median = statistics.median(drops)
        yield "median drop of (c) on trained subjects ≤ 0.5 points", _points(median), median <= MOST_DROP
    timed = next((row.column("ours") for row in rows if row.name == TIMED), None)
    if timed and timed.seconds and timed.float_pass_s:
        passes = timed.seconds / timed.float_pass_s
        promise = f"(c) of {TIMED} takes ≤ {MOST_PASSES:g}× running its calibration samples once"
        yield promise, f"{passes:.1f}×", passes <= MOST_PASSES
    yield _of_all(rows, "ours", "every file of (c) runs at 1, 2 and 5", lambda each: each.batches == BATCHES)


def _of_budget(rows: Sequence[Int8Row]) -> Iterator[Promise]:
    kept = [row for row in rows if row.column("budget")]
    if not kept:
        return
    judged = [row for row in kept if row.measure]
    yield _of_all(
        judged, "budget", "every file of (d) keeps its budget", lambda each: (_drop(each) or 0.0) <= MOST_DROP
    )
    enough = f"and ≥ {LEAST_INT8_MACS:.0%} of its multiply-accumulates in int8"
    yield _of_all(kept, "budget", enough, lambda each: (each.int8_macs or 0.0) >= LEAST_INT8_MACS)
    yield _of_all(kept, "budget", "and is faster than float", lambda each: (each.latency_to_float or 9.0) < 1.0)
    yield _of_all(kept, "budget", "and runs at 1, 2 and 5", lambda each: each.batches == BATCHES)
    for row in rows:
        if row.search:
            promise = f"a budget {MORE_DB:g} dB above plain int8 is searched on {row.name} in ≤ {MOST_SEARCH_S:g} s"
            seen = f"{row.search.seconds:.0f} s: {row.search.standing}"
            yield promise, seen, row.search.seconds <= MOST_SEARCH_S


def _of_all(rows: Sequence[Int8Row], engine: str, promise: str, holds: Callable[[Column], bool]) -> Promise:
    columns = [(row.name, row.column(engine)) for row in rows]
    not_so = [name for name, each in columns if each is None or each.quality is None or not holds(each)]
    return promise, f"not: {', '.join(not_so)}" if not_so else f"all {len(rows)}", not not_so


def below_ceiling(rows: Sequence[Int8Row]) -> str:
    """How far (c) is from what int8 activations allow at all, and how far that is from the others."""
    found = []
    for row in rows:
        ceiling = next((_quality_db(each.quality) for each in row.ceilings if each.kind == "activations"), None)
        ours, gain = _sqnr(row.column("ours")), gain_db(row)
        if ceiling is not None and ours is not None and gain is not None:
            found.append((ours - ceiling, gain + ceiling - ours))
    if not found:
        return ""
    apart, room = (statistics.median(each) for each in zip(*found, strict=True))
    return (
        f"In the median (c) is {apart:+.1f} dB from the ceiling of its activations alone, and that ceiling is "
        f"{room:+.1f} dB from the better of (a) and (b): more than that takes activations of more than 8 bits."
    )


def gain_db(row: Int8Row) -> float | None:
    """How far (c) is above the better of (a) and (b)."""
    ours = _sqnr(row.column("ours"))
    others = [found for engine in ("tensorflow", "library") if (found := _sqnr(row.column(engine))) is not None]
    return None if ours is None or not others else ours - max(others)


def _sqnr(column: Column | None) -> float | None:
    return _quality_db(column.quality) if column else None


def _quality_db(quality: Quality | None) -> float | None:
    return quality.sqnr_db if quality else None


def _drop(column: Column | None) -> float | None:
    return column.quality.drop if column and column.quality else None


def _points(share: float) -> str:
    return f"{100 * share:.2f}"
