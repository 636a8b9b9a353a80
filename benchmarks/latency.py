"""Two TFLite files against each other at batch 1, in one process, taking turns: what slows the machine slows both.

    python benchmarks/latency.py OURS.tflite THEIRS.tflite THREADS
    python benchmarks/latency.py --all FILE.tflite …

Prints JSON: median milliseconds of each, the median of the ratios of neighbouring runs, and the number of turns. With
``--all``, of any number of files on one thread, each against the first.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

WARM_UP_RUNS = 5
LEAST_TURNS, MOST_TURNS, SECONDS = 30, 400, 15.0
SECONDS_A_FILE = 3.0

Floats = npt.NDArray[np.float64]


def compare(ours: str, theirs: str, threads: int, *, least_turns: int = LEAST_TURNS) -> dict[str, float]:
    """LiteRT's default delegate, a given number of threads; as many turns as 15 seconds hold, or the least."""
    first, second = take_turns([ours, theirs], threads, least_turns, SECONDS)
    return {
        "ours_ms": float(np.median(first)),
        "theirs_ms": float(np.median(second)),
        "ratio": float(np.median(first / second)),
        "turns": len(first),
    }


def compare_all(paths: list[str]) -> list[dict[str, float]]:
    """Median milliseconds of each file on one thread, and the median of each turn's ratio to the first file."""
    times = take_turns(paths, 1, LEAST_TURNS, SECONDS_A_FILE * len(paths))
    return [{"ms": float(np.median(each)), "ratio": float(np.median(each / times[0]))} for each in times]


def take_turns(paths: list[str], threads: int, least_turns: int, seconds: float) -> list[Floats]:
    """Milliseconds of each file's runs, turn by turn; every second turn goes backwards."""
    runners = [_ready(path, threads) for path in paths]
    times: list[list[float]] = [[] for _ in paths]
    started = time.perf_counter()
    while len(times[0]) < MOST_TURNS and (len(times[0]) < least_turns or time.perf_counter() - started < seconds):
        order = range(len(paths)) if len(times[0]) % 2 else reversed(range(len(paths)))
        for index in order:
            times[index].append(_time_ms(runners[index]))
    return [np.array(column) for column in times]


def _ready(path: str, threads: int) -> Any:
    interpreter = Interpreter(path, num_threads=threads)
    interpreter.allocate_tensors()
    random = np.random.default_rng(0)
    for entry in interpreter.get_input_details():
        shape = [1 if size < 0 else size for size in entry["shape_signature"]]
        values = random.standard_normal(shape) if np.dtype(entry["dtype"]).kind == "f" else np.ones(shape)
        interpreter.set_tensor(entry["index"], values.astype(entry["dtype"]))
    for _ in range(WARM_UP_RUNS):
        interpreter.invoke()
    return interpreter


def _time_ms(interpreter: Any) -> float:
    started = time.perf_counter()
    interpreter.invoke()
    return (time.perf_counter() - started) * 1e3


if __name__ == "__main__":
    if sys.argv[1] == "--all":
        print(json.dumps(compare_all(sys.argv[2:])))
    else:
        print(json.dumps(compare(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
