"""How much worse a model does its task than another, on the same labelled samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from verify.batches import batch_paths, read_batch
from verify.errors import SamplesInvalid
from verify.report.types import EdgeReport, TaskComparison, Verdict, worst_verdict
from verify.task.intervals import paired_drop
from verify.task.measures import Array, Floats, Measure


def compare_task(
    measure: Measure, *, expected: Path, actual: Path, truth: Array, max_drop: float, outputs: tuple[str, ...] = ()
) -> TaskComparison:
    """Job: the drop of a measure from the outputs in ``expected`` to those in ``actual``, with its interval.

    ``truth`` has one entry a sample, in the order of the batches; batches beyond it are not judged. ``outputs`` are
    those that the measure reads, all when left out. A pass needs the whole interval to keep within ``max_drop``, a
    failure the whole to exceed it; else there are too few samples to tell. Raises ``SamplesInvalid``.
    """
    before, after = (_rows(measure, folder, truth, outputs) for folder in (expected, actual))
    if len(before) != len(truth) or len(after) != len(truth):
        raise SamplesInvalid(
            f"there are {len(truth)} labels, and outputs of {len(before)} and {len(after)} samples",
            fix="give one label a sample, in the order of the samples",
        )
    first, second = measure.of(before), measure.of(after)
    low, high = paired_drop(before, after, measure)
    verdict = Verdict.PASS if high <= max_drop else Verdict.FAIL if low > max_drop else Verdict.INCONCLUSIVE
    task = TaskComparison(
        measure.name, len(truth), first, second, first - second, low, high, max_drop, verdict, explanation=""
    )
    return replace(task, explanation=_explanation(task))


def with_task(edge: EdgeReport, task: TaskComparison) -> EdgeReport:
    """The edge with its task metric, which weighs as much as an output."""
    return replace(edge, task=task, verdict=worst_verdict((edge.verdict, task.verdict)))


def _rows(measure: Measure, folder: Path, truth: Array, names: tuple[str, ...]) -> Floats:
    """A measure's statistics of every sample that has a label."""
    rows: list[Floats] = []
    done = 0
    for path in batch_paths(folder):
        batch = read_batch(path)
        chosen = {name: batch[name] for name in names or tuple(batch)}
        size = len(next(iter(chosen.values())))
        if done + size > len(truth):
            break
        rows.append(measure.per_sample(chosen, truth[done : done + size]))
        done += size
    return np.concatenate(rows) if rows else np.zeros(0)


def _explanation(task: TaskComparison) -> str:
    measured = (
        f"{task.measure} goes from {task.expected:.1%} to {task.actual:.1%} over {task.samples} samples, a drop of "
        f"{100 * task.drop:.2f} points (95 % interval {100 * task.drop_low:.2f} to {100 * task.drop_high:.2f})"
    )
    allowed = f"{100 * task.max_drop:g} points are allowed"
    return {
        Verdict.PASS: f"{measured}; {allowed}.",
        Verdict.FAIL: f"{measured}; only {allowed}.",
        Verdict.INCONCLUSIVE: f"{measured}; {allowed}: too few samples to tell.",
    }[task.verdict]
