"""What a budget asks for, in words and numbers, and when it counts as kept."""

from __future__ import annotations

import numpy as np
import pytest

from quantize.budget.goal import (
    Budget,
    Measured,
    MetricOption,
    Score,
    Standing,
    parse_drop,
    parse_share,
    requirements,
    samples_needed,
    standing,
)
from quantize.budget.metric import measure_for
from verify.errors import InputError, SamplesInvalid
from verify.task.labels import folders_as_labels

CERTAIN_DB = Measured(120.0, 120.0, 120.0)


def test_half_a_percent_is_half_a_percent():
    assert parse_drop("0.5%") == parse_drop("0.005") == 0.005


def test_a_bare_half_is_refused_for_it_is_fifty_percent():
    with pytest.raises(InputError, match=r"--max-drop 0\.5 is 50%") as refused:
        parse_drop("0.5")
    assert "--max-drop 0.5% or --max-drop 50%" in refused.value.fix


@pytest.mark.parametrize("text", ["-1%", "much", "120%", "nan"])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(InputError, match="is no share"):
        parse_share(text, "--min-int8-macs")


def test_a_budget_without_a_limit_is_refused():
    with pytest.raises(InputError, match="sets no limit"):
        requirements(Budget())


@pytest.mark.parametrize(
    ("drop", "expected"),
    [
        (Measured(0.001, -0.002, 0.004), Standing.MET),
        (Measured(0.001, -0.004, 0.006), Standing.UNCERTAIN),
        (Measured(0.006, 0.004, 0.008), Standing.MISSED),
        (Measured(float("nan"), 0.0, 0.0), Standing.MISSED),
    ],
)
def test_an_interval_that_reaches_outside_leaves_it_uncertain(drop, expected):
    assert standing(requirements(Budget(max_drop=0.005)), Score(CERTAIN_DB, drop=drop)) is expected


def test_every_limit_counts():
    limits = requirements(Budget(max_drop=0.01, min_sqnr_db=25.0))
    drop = Measured(0.0, 0.0, 0.0)
    assert standing(limits, Score(Measured(30.0, 28.0, 31.0), drop=drop)) is Standing.MET
    assert standing(limits, Score(Measured(24.0, 23.0, 25.0), drop=drop)) is Standing.MISSED


def test_too_few_samples_are_told_how_many_it_takes():
    perfect = Score(CERTAIN_DB, drop=Measured(0.0, -0.02, 0.02))
    assert samples_needed(requirements(Budget(max_drop=0.005)), perfect, 100) == 400
    assert samples_needed(requirements(Budget(max_drop=0.03)), perfect, 100) is None


def test_outputs_that_are_no_classes_have_no_top_1():
    (limit,) = requirements(Budget(min_top1_agreement=0.99))
    with pytest.raises(InputError, match="not classes"):
        limit.of(Score(CERTAIN_DB))


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        (np.zeros(4, np.int64), "top-1"),
        (np.zeros((4, 8, 8), np.uint8), "mIoU"),
        (np.zeros((4, 3, 5), np.float32), "mAP50"),
    ],
)
def test_the_labels_tell_the_measure(labels, name):
    assert measure_for(MetricOption.AUTO, labels).name == name


def test_a_measure_without_labels_is_refused():
    assert measure_for(MetricOption.AUTO, None) is None
    with pytest.raises(SamplesInvalid, match="--metric mIoU needs labels"):
        measure_for(MetricOption.MEAN_IOU, None)
    with pytest.raises(SamplesInvalid, match="for no measure that is known"):
        measure_for(MetricOption.AUTO, np.zeros((4, 2)))


def test_folders_are_classes_by_name_or_by_number(tmp_path):
    for folder in ("cat", "dog"):
        (tmp_path / "named" / folder).mkdir(parents=True)
        (tmp_path / "named" / folder / "a.png").touch()
    for folder in ("7", "10"):
        (tmp_path / "numbered" / folder).mkdir(parents=True)
        (tmp_path / "numbered" / folder / "a.png").touch()
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "a.png").touch()
    labels, named = folders_as_labels(tmp_path / "named")
    assert (labels.tolist(), named) == ([0, 1], 2)
    labels, named = folders_as_labels(tmp_path / "numbered")
    assert (labels.tolist(), named) == ([10, 7], None)  # by path: 10 comes before 7
    assert folders_as_labels(tmp_path / "flat") == (None, None)
