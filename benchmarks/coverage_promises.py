"""What the coverage table is held to, and whether it holds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from coverage_types import Onnx2tf, Row, Status

MOST_RATIO = 1.03
MOST_MEDIAN_RATIO = 0.9
LEAST_MEDIAN_SPEEDUP = 3.0
MOST_PEER_TIME = 1.5
FULLY_CONNECTED, LEAST_SPEEDUP = ("alexnet", "vgg16"), 20.0
"""Their weights are what onnx2tf is slow with."""
MOST_WEIGHTS, MOST_MORE_BYTES = 3, 10**9

Promise = tuple[str, str, bool | None]
"""What is promised, what was seen, and whether it holds; ``None`` where that is not known yet."""


def promises(rows: Sequence[Row]) -> list[Promise]:
    """Every promise, judged on the rows that there are."""
    vision = [row for row in rows if row.zoo == "torchvision" and row.group != "torchvision detection"]
    entries = [
        _share("torchvision classification, segmentation, video and flow exact", vision, 1.0),
        _share("timm exact", [row for row in rows if row.zoo == "timm"], 0.97),
        _share("systems exact", [row for row in rows if row.zoo == "systems"], 1.0),
    ]
    both = [(row, row.onnx2tf) for row in rows if row.onnx2tf is not None and row.onnx2tf.ratio is not None]
    entries += _latencies(both)
    more = [row.id for row, its in both if (row.ops or 0) > (its.ops or 0)]
    seen = f"{len(both) - len(more)} of {len(both)}{_examples(more)}"
    entries.append(("no more ops than onnx2tf's file", seen, not more if both else None))
    flex = [row.id for row in rows if row.flex]
    entries.append(("no Flex op", "none" if not flex else ", ".join(flex), not flex if both else None))
    speedups = [times for row, _ in both if (times := lowering_speedup(row)) is not None]
    least = f"ONNX → model ≥ {LEAST_MEDIAN_SPEEDUP:g}× faster than onnx2tf, median"
    least += " (timed apart; `make lowering` times them side by side)"
    entries.append(_bounded(least, speedups, lambda seen: seen >= LEAST_MEDIAN_SPEEDUP))
    for name in FULLY_CONNECTED:
        times = [ratio for row, _ in both if row.id == name and (ratio := lowering_speedup(row)) is not None]
        entries.append(_bounded(f"≥ {LEAST_SPEEDUP:g}× on {name}", times, lambda seen: seen >= LEAST_SPEEDUP))
    return [*entries, _memory(rows), *_peers(rows)]


def _latencies(both: Sequence[tuple[Row, Onnx2tf]]) -> list[Promise]:
    slower = sorted(((its.ratio or 0.0, row.id) for row, its in both if (its.ratio or 0.0) > MOST_RATIO), reverse=True)
    names = [f"{name} {ratio:.2f}" for ratio, name in slower]
    each = (
        f"float32 latency ≤ {MOST_RATIO}× onnx2tf's, each",
        f"{len(both) - len(slower)} of {len(both)}{_examples(names)}",
        not slower if both else None,
    )
    transposing = [its.ratio for _, its in both if its.transposes and its.ratio is not None]
    most = f"≤ {MOST_MEDIAN_RATIO}× in the median of those where it leaves transposes"
    return [each, _bounded(most, transposing, lambda seen: seen <= MOST_MEDIAN_RATIO)]


def _memory(rows: Sequence[Row]) -> Promise:
    """Of the worker that lowers: TensorFlow itself is in it."""
    known = [
        (row.id, row.lowering_peak_bytes, MOST_WEIGHTS * row.weight_bytes + MOST_MORE_BYTES)
        for row in rows
        if row.lowering_peak_bytes is not None and row.weight_bytes is not None
    ]
    heavy = [f"{name} {peak / 1e9:.1f} GB" for name, peak, most in known if peak > most]
    what = f"peak memory of ONNX → SavedModel ≤ {MOST_WEIGHTS}× the weights + 1 GB, each"
    return what, f"{len(known) - len(heavy)} of {len(known)}{_examples(heavy)}", not heavy if known else None


def _peers(rows: Sequence[Row]) -> list[Promise]:
    peers = [(row, row.litert_torch) for row in rows if row.litert_torch is not None and not row.litert_torch.error]
    ratios = [(row.id, peer.ratio) for row, peer in peers if peer.ratio is not None]
    slower = [f"{name} {ratio:.2f}" for name, ratio in ratios if ratio > MOST_RATIO]
    latency = f"float32 latency ≤ {MOST_RATIO}× litert-torch's, each"
    times = [peer.our_seconds / peer.seconds for _, peer in peers if peer.seconds and peer.our_seconds]
    whole = f"whole command ≤ {MOST_PEER_TIME}× litert-torch's conversion, median"
    return [
        (latency, f"{len(ratios) - len(slower)} of {len(ratios)}{_examples(slower)}", not slower if ratios else None),
        _bounded(whole, times, lambda seen: seen <= MOST_PEER_TIME),
    ]


def lowering_speedup(row: Row) -> float | None:
    """How many times longer onnx2tf takes from ONNX to its model than we to a SavedModel."""
    if row.onnx2tf is None or row.onnx2tf.seconds is None or not row.lowering_seconds:
        return None
    return row.onnx2tf.seconds / row.lowering_seconds


def _share(what: str, rows: Sequence[Row], least: float) -> Promise:
    ran = [row for row in rows if row.status not in {Status.NOT_RUN, Status.REFUSED}]
    exact = sum(row.status is Status.EXACT for row in ran)
    waiting = len([row for row in rows if row.status is Status.NOT_RUN])
    seen = f"{exact} of {len(ran)}" + (f", {waiting} not run" if waiting else "")
    missed = bool(ran) and exact < least * len(ran)
    return f"{what}: {least:.0%}", seen, False if missed else None if waiting or not ran else True


def _bounded(what: str, values: Sequence[float], holds: Callable[[float], bool]) -> Promise:
    if not values:
        return what, "–", None
    median = statistics.median(values)
    return what, f"{median:.2f}× ({len(values)} models)", holds(median)


def _examples(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f" (not {', '.join(names[:6])}{more})"
