"""The task metric of quantized edges, where the samples bring labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from verify.batches import batch_paths, read_batch
from verify.chain.run import Chain, Ran
from verify.errors import SamplesInvalid
from verify.report.types import EdgeKind, EdgeReport
from verify.samples.write import JUDGING_BATCH_SIZES, judged_of
from verify.task.labels import labels_of, measure_of
from verify.task.measures import Array, MeanIou, Measure, TopK
from verify.task.paired import compare_task, with_task

_RANKS: dict[type, int] = {TopK: 2, MeanIou: 4}
"""Axes of the output that a measure reads, where it reads one."""


@dataclass(frozen=True)
class Task:
    """What labelled samples are judged by. ``truth`` has one entry a sample, in the order of the batches."""

    measure: Measure
    truth: Array
    max_drop: float


def task_of(chain: Chain) -> Task | None:
    """``None`` where no drop is limited; raises ``SamplesInvalid`` where one is, and its labels are not to be had."""
    settings = chain.settings
    if settings.max_drop is None:
        return None
    from verify.samples.load import open_samples

    count = open_samples(settings.samples, chain.inputs).count
    labels = None if count is None else labels_of(settings.samples, {spec.name for spec in chain.inputs}, count)[0]
    if labels is None:
        raise SamplesInvalid(
            "--max-drop needs labels, and there are none",
            fix="give --data with labels: a .npz with an array 'truth', or a folder with one folder a class",
        )
    chosen = judged_of(len(labels), settings.max_samples)
    if chain.samples.refusals or len(chosen) != chain.samples.sample_count or len(chosen) < sum(JUDGING_BATCH_SIZES):
        raise SamplesInvalid(
            f"--max-drop needs {sum(JUDGING_BATCH_SIZES)} or more labelled samples that can all be fed: "
            f"{chain.samples.sample_count} of {len(chosen)} were",
            fix="leave out the samples that cannot be read",
        )
    truth = labels[list(chosen)]
    return Task(measure_of(truth), truth, settings.max_drop)


def with_task_of(edge: EdgeReport, task: Task | None, expected: Ran, actual: Ran) -> EdgeReport:
    """A quantized edge with its task metric; float edges are judged by rounding alone, which is stricter."""
    if task is None or edge.kind is not EdgeKind.QUANTIZED:
        return edge
    compared = compare_task(
        task.measure,
        expected=expected.outputs,
        actual=actual.outputs,
        truth=task.truth,
        max_drop=task.max_drop,
        outputs=_outputs(task.measure, expected.outputs),
    )
    return with_task(edge, compared)


def _outputs(measure: Measure, folder: Path) -> tuple[str, ...]:
    """The first output that a measure can read, where it reads one; all for one that goes by their names."""
    rank = _RANKS.get(type(measure))
    if rank is None:
        return ()
    arrays = read_batch(batch_paths(folder)[0])
    found = next((name for name, array in arrays.items() if array.ndim == rank and array.dtype.kind == "f"), None)
    if found is None:
        raise SamplesInvalid(
            f"{measure.name} is of an output with {rank} axes, and there is none among {', '.join(arrays)}",
            fix="leave --max-drop out",
        )
    return (found,)
