"""Which samples a run prepares."""

from __future__ import annotations

from convert.feeding import plan_samples
from convert.settings import RunSettings
from verify.samples import RandomSamples

SETTINGS = RunSettings(calibration="random", evaluation="random")


def test_no_calibration_samples_are_made_where_no_int8_file_is() -> None:
    assert plan_samples(SETTINGS, 0).calibration is None
    assert plan_samples(SETTINGS, 8).calibration == RandomSamples(0)


def test_data_to_calibrate_on_still_judges_where_no_int8_file_is_made() -> None:
    plan = plan_samples(RunSettings(calibration="random"), 0)
    assert (plan.judging, plan.hold_out) == (RandomSamples(0), True)
