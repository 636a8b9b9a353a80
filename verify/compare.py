"""Two folders of outputs → an :class:`EdgeReport`. What cannot be compared fails under its own name.

Outputs are matched by name, shapes and dtypes must agree exactly, no axis is permuted and no value is replaced. Batches
are read one at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from verify.batches import batch_paths, read_batch
from verify.judge import judge_output, score_tolerance
from verify.metrics import Array
from verify.report.pictures import EdgePictures
from verify.report.types import EdgeKind, EdgeReport, nothing_compared, worst_verdict
from verify.tallies.grid import OutputGrid
from verify.tallies.top1 import Top1Tally
from verify.tally import Tally, tally_batch
from verify.tolerance import Budget


def compare_edge(
    *,
    expected_name: str,
    actual_name: str,
    expected: Path,
    actual: Path,
    budget: Budget,
    sample_count: int,
    class_count: int | None = None,
    grids: tuple[OutputGrid, ...] = (),
    inputs: Path | None = None,
) -> EdgeReport:
    """Job: compare the outputs of two models for the same batches.

    ``expected`` and ``actual`` are folders of batches in PyTorch layout and real values. ``sample_count`` is how many
    different samples they hold: from two on, an output that is the same for all of them is a failure. For a classifier,
    top-1 agreement is taken on the first output of shape ``(batch, class_count)``. ``grids`` are those of the outputs
    that the second model quantizes: their errors are counted in steps too. With ``inputs``, the folder of the batches
    that both were fed, every output gets a picture of its error.
    """
    paths = batch_paths(expected)
    tallies: dict[str, Tally] = {}
    pictures = EdgePictures(inputs)
    sizes: list[int] = []
    by_output = {grid.name: grid for grid in grids}
    top1 = Top1Tally()
    for path in paths:
        wanted = read_batch(path)
        given = read_batch(actual / path.name) if (actual / path.name).is_file() else None
        sizes.append(max((array.shape[0] for array in wanted.values() if array.ndim), default=1))
        tally_batch(tallies, wanted, given, path.name, by_output)
        pictures.note(wanted, given or {}, path.name)
        _note_top1(top1, wanted, given or {}, class_count, path.name)
    _tally_extra_batches(tallies, actual, {path.name for path in paths})
    outputs = tuple(judge_output(name, tally, budget, sample_count) for name, tally in tallies.items())
    outputs = outputs or (
        nothing_compared("*", "nothing compared", f"There were no outputs to compare in {expected.name}."),
    )
    return EdgeReport(
        expected=expected_name,
        actual=actual_name,
        kind=EdgeKind(budget.kind),
        verdict=worst_verdict(output.verdict for output in outputs),
        budget=budget.phrase,
        batch_sizes=tuple(sizes),
        sample_count=sample_count,
        outputs=pictures.added_to(outputs),
        top1_agreement=top1.agreement,
        top1=top1.report(score_tolerance(budget, top1.output, tallies[top1.output])) if top1.samples else None,
    )


def _note_top1(
    top1: Top1Tally, wanted: Mapping[str, Array], given: Mapping[str, Array], class_count: int | None, batch: str
) -> None:
    """Rows of the first output that holds classes."""
    for name, expected in wanted.items():
        if class_count is not None and expected.ndim == 2 and expected.shape[1] == class_count:
            top1.note(name, expected, given.get(name), batch)
            return


def _tally_extra_batches(tallies: dict[str, Tally], actual: Path, known: set[str]) -> None:
    for path in batch_paths(actual):
        if path.name not in known:
            for name in read_batch(path):
                tallies.setdefault(name, Tally()).fail("extra output", f"{path.name} has no counterpart")
