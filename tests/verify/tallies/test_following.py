"""An output must change from sample to sample as it should: a large mean hides that it does not."""

from __future__ import annotations

import numpy as np
import pytest
from edges import QUANTIZED, compare

from verify.judge import NOT_FOLLOWING
from verify.report.types import Verdict


def batches(noise=0.0, order=None):
    """16 samples in batches of 4 around a mean that is 50 times larger than what changes."""
    random = np.random.default_rng(0)
    values = 50 + random.normal(size=(16, 10))
    values = values if order is None else values[order]
    values += noise * random.normal(size=values.shape)
    return [{"y": part.astype(np.float32)} for part in np.split(values, 4)]


def edge(folder, given):
    return compare(folder, batches(), given, QUANTIZED)


@pytest.mark.parametrize(
    "order",
    [[*range(3, -1, -1), *range(7, 3, -1), *range(11, 7, -1), *range(15, 11, -1)], np.repeat([0, 4, 8, 12], 4)],
    ids=["reversed within each batch", "the first sample of each batch"],
)
def test_an_output_of_other_samples_fails_however_close_it_is(tmp_path, order):
    found = edge(tmp_path, batches(order=order))
    assert found.outputs[0].sqnr_db > 30
    assert (found.verdict, found.outputs[0].failure) == (Verdict.FAIL, NOT_FOLLOWING)


def test_noise_as_large_as_what_changes_is_a_matter_of_the_budget(tmp_path):
    found = edge(tmp_path, batches(noise=3.0))
    assert found.verdict is Verdict.PASS
