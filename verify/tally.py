"""Reading one output of two models batch by batch: sums, extremes, and the first thing that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from verify.metrics import Array, ErrorSums, error_sums


@dataclass
class Variation:
    """Whether an output varies at all, and whether it varies from sample to sample."""

    lowest: float = np.inf
    highest: float = -np.inf
    first_sample: Array | None = None
    samples_differ: bool = False

    def note(self, values: Array) -> None:
        """Take in one batch of finite values."""
        if not values.size:
            return
        self.lowest = min(self.lowest, float(values.min()))
        self.highest = max(self.highest, float(values.max()))
        if self.samples_differ or not values.ndim:
            return
        if self.first_sample is None:
            self.first_sample = values[0].copy()
        self.samples_differ = any(not np.array_equal(self.first_sample, sample) for sample in values)

    def constancy(self, sample_count: int) -> str | None:
        """How it is constant, as a phrase; ``None`` when it is not."""
        if self.lowest == self.highest:
            return f"every value is {self.lowest:g}"
        if sample_count > 1 and self.first_sample is not None and not self.samples_differ:
            return f"it is the same for all {sample_count} samples, although the samples differ"
        return None


@dataclass
class Tally:
    """One output as far as it was read."""

    sums: ErrorSums = field(default_factory=ErrorSums)
    failure: str | None = None
    """The first one, under its own name."""
    detail: str = ""
    identical: bool = True
    floating: bool = True
    expected: Variation = field(default_factory=Variation)
    actual: Variation = field(default_factory=Variation)

    def fail(self, failure: str, detail: str) -> None:
        """Keep the first failure: what follows it says nothing new."""
        if self.failure is None:
            self.failure, self.detail = failure, detail
            self.identical = False


def tally_batch(
    tallies: dict[str, Tally], wanted: Mapping[str, Array], given: Mapping[str, Array] | None, batch: str
) -> None:
    """Take in one batch of both models; ``given`` is ``None`` when the second has none of that name."""
    for name, expected in wanted.items():
        tally = tallies.setdefault(name, Tally())
        if given is None:
            tally.fail("missing output", f"the model gave nothing at all for {batch}")
        elif name not in given:
            tally.fail("missing output", f"{batch} has {', '.join(given) or 'no outputs'}, but no {name}")
        else:
            _tally_output(tally, expected, given[name], batch)
    for name in given or ():
        if name not in wanted:
            tallies.setdefault(name, Tally()).fail("extra output", f"{batch}: the other model gives no {name}")


def _tally_output(tally: Tally, expected: Array, actual: Array, batch: str) -> None:
    if expected.shape != actual.shape:
        tally.fail("wrong shape", f"{batch}: expected {list(expected.shape)}, got {list(actual.shape)}")
    elif not _same_type(expected, actual):
        tally.fail("wrong dtype", f"{batch}: expected {expected.dtype}, got {actual.dtype}")
    else:
        _tally_values(tally, expected, actual, batch)


def _tally_values(tally: Tally, expected: Array, actual: Array, batch: str) -> None:
    tally.floating = actual.dtype.kind == "f"
    found = nonfinite_failure(expected, actual)
    if found is not None:
        tally.fail(found[0], f"{batch}: {found[1]}")
        return
    tally.sums += error_sums(expected, actual)
    tally.identical = tally.identical and np.array_equal(expected, actual)
    tally.expected.note(expected)
    tally.actual.note(actual)


def nonfinite_failure(expected: Array, actual: Array) -> tuple[str, str] | None:
    """``one-sided NaN``, ``one-sided Inf`` or ``non-finite output`` with what was seen; ``None`` when all is finite."""
    if expected.dtype.kind != "f":
        return None
    nan_expected, nan_actual = np.isnan(expected), np.isnan(actual)
    if (nan_expected != nan_actual).any():
        return (
            "one-sided NaN",
            f"{int(nan_expected.sum())} NaN expected, {int(nan_actual.sum())} given, not in the same places",
        )
    infinite = np.isinf(expected) | np.isinf(actual)
    if (expected[infinite] != actual[infinite]).any():
        counts = int(np.isinf(expected).sum()), int(np.isinf(actual).sum())
        return "one-sided Inf", f"{counts[0]} infinities expected, {counts[1]} given, not the same in the same places"
    unusable = int(nan_expected.sum() + infinite.sum())
    if unusable:
        return "non-finite output", f"{unusable} of {expected.size} values are NaN or infinite in both models"
    return None


def _same_type(expected: Array, actual: Array) -> bool:
    """Integers of any width are alike (TensorFlow has int32 where PyTorch has int64); floats must have one width."""
    if expected.dtype.kind in "iu" and actual.dtype.kind in "iu":
        return True
    return expected.dtype == actual.dtype
