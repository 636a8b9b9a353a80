"""What was tried, by cost and accuracy; how fast the best of it runs here."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from quantize.budget.candidates import Candidates
from quantize.budget.goal import Requirement
from quantize.budget.search import Point
from verify.threads import runtime_threads

MOST_TIMED = 8
_TURNS = 15
_SECONDS = 6.0


def on_frontier(points: Sequence[Point], limit: Requirement) -> tuple[Point, ...]:
    """Those that no other beats in both cost and what the limit is of; by cost."""
    found: list[Point] = []
    best_first = sorted(points, key=lambda point: _quality(point, limit), reverse=True)
    for point in sorted(best_first, key=lambda point: point.cost):
        if not found or _quality(point, limit) > _quality(found[-1], limit):
            found.append(point)
    return tuple(found)


def _quality(point: Point, limit: Requirement) -> tuple[float, float]:
    """Where a measure does not tell two files apart, SQNR does."""
    return limit.slack(point.score), point.score.sqnr_db.value


def latencies_ms(candidates: Candidates, points: Sequence[Point]) -> list[tuple[float, float]]:
    """Median milliseconds at batch 1 and the median ratio to the float file's: of that, then of each point.

    Files take turns, so that what slows the machine slows all.
    """
    paths = [candidates.model]
    try:
        for number, point in enumerate(points):
            paths.append(candidates.scratch / f"timed_{number}.tflite")
            candidates.make(paths[-1], point.lifted)
        times = _take_turns(paths)
    finally:
        for path in paths[1:]:
            path.unlink(missing_ok=True)
    return [(statistics.median(each), statistics.median(map(_ratio, each, times[0]))) for each in times]


def _ratio(time_ms: float, float_ms: float) -> float:
    return time_ms / float_ms


def _take_turns(paths: Sequence[Path]) -> list[list[float]]:
    interpreters = [_ready(path) for path in paths]
    times: list[list[float]] = [[] for _ in paths]
    started = time.perf_counter()
    for turn in range(_TURNS):
        if turn and time.perf_counter() - started > _SECONDS:
            break
        for interpreter, taken in zip(interpreters, times, strict=True):
            taken.append(_invoke_ms(interpreter))
    return times


def _ready(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=runtime_threads())
    interpreter.allocate_tensors()
    for entry in interpreter.get_input_details():
        interpreter.set_tensor(entry["index"], np.ones(entry["shape"], entry["dtype"]))
    interpreter.invoke()
    return interpreter


def _invoke_ms(interpreter: Any) -> float:
    """Of the faster of two runs: a small net's first after another's finds the caches cold."""
    taken = []
    for _ in range(2):
        started = time.perf_counter()
        interpreter.invoke()
        taken.append(time.perf_counter() - started)
    return min(taken) * 1e3
