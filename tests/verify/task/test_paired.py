"""A drop in the task metric passes or fails only when its whole interval does."""

from __future__ import annotations

import numpy as np
import pytest
from edges import QUANTIZED, compare, outputs, written

from verify.errors import SamplesInvalid
from verify.report.types import Verdict
from verify.task.measures import TopK
from verify.task.paired import compare_task, with_task


def _scored(wrong: int, count: int):
    """One-hot scores for labels 0, 1, 2, 0 …; the first ``wrong`` point elsewhere. In batches of 50."""
    labels = np.arange(count) % 3
    given = np.where(np.arange(count) < wrong, (labels + 1) % 3, labels)
    scores = np.eye(3, dtype=np.float32)[given]
    return [{"y": scores[at : at + 50]} for at in range(0, count, 50)]


def _task(tmp_path, before, after, count, max_drop=0.02):
    folders = {
        "expected": written(tmp_path / "before", _scored(before, count)),
        "actual": written(tmp_path / "after", _scored(after, count)),
    }
    return compare_task(TopK(), truth=np.arange(count) % 3, max_drop=max_drop, **folders)


@pytest.mark.parametrize(
    ("wrong", "count", "verdict"),
    [
        (0, 1000, Verdict.PASS),
        (100, 1000, Verdict.FAIL),
        (20, 1000, Verdict.INCONCLUSIVE),
        (0, 10, Verdict.INCONCLUSIVE),
    ],
)
def test_the_whole_interval_decides(tmp_path, wrong, count, verdict):
    task = _task(tmp_path, 0, wrong, count)
    assert task.verdict is verdict
    assert task.drop == pytest.approx(wrong / count)
    assert task.drop_low <= task.drop <= task.drop_high
    assert ("too few samples to tell" in task.explanation) == (verdict is Verdict.INCONCLUSIVE)


def test_an_edge_is_as_good_as_its_task(tmp_path):
    edge = compare(tmp_path / "edge", outputs(), outputs(), QUANTIZED)
    lost = with_task(edge, _task(tmp_path, 0, 200, 1000))
    assert (edge.verdict, lost.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert lost.task.explanation.startswith("top-1 goes from 100.0% to 80.0% over 1000 samples, a drop of 20.00 points")


def test_labels_that_are_not_one_a_sample_are_refused(tmp_path):
    folder = written(tmp_path / "scores", _scored(0, 100))
    with pytest.raises(SamplesInvalid, match="there are 120 labels, and outputs of 100 and 100 samples"):
        compare_task(TopK(), expected=folder, actual=folder, truth=np.zeros(120, int), max_drop=0.02)
