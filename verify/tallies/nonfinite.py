"""A ledger of what is no finite number: how much of each kind, and where the first one is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verify.metrics import Array
from verify.report.findings import NonFinite


@dataclass
class NonFiniteTally:
    """Of one side of one output."""

    nan: int = 0
    positive_infinity: int = 0
    negative_infinity: int = 0
    first: str = ""

    def note(self, values: Array, batch: str) -> None:
        """Take in one batch of floats."""
        bad = ~np.isfinite(values)
        if not bad.any():
            return
        self.nan += int(np.isnan(values).sum())
        self.positive_infinity += int(np.count_nonzero(values == np.inf))
        self.negative_infinity += int(np.count_nonzero(values == -np.inf))
        self.first = self.first or f"{batch}{_place(bad)}"

    @property
    def report(self) -> NonFinite | None:
        """``None`` when every value was finite."""
        if not self.first:
            return None
        return NonFinite(self.nan, self.positive_infinity, self.negative_infinity, self.first)

    @property
    def phrase(self) -> str:
        """``1 NaN and 2 -Inf, the first at batch_001.npz[1, 3]``; ``none``."""
        counts = ((self.nan, "NaN"), (self.positive_infinity, "+Inf"), (self.negative_infinity, "-Inf"))
        kinds = " and ".join(f"{count} {kind}" for count, kind in counts if count)
        return f"{kinds}, the first at {self.first}" if kinds else "none"


def masked_alike(expected: Array, actual: Array) -> Array | None:
    """Where both have -Inf, as a mask or the logarithm of 0 gives; ``None`` where anything else is not finite.

    What agrees there is no number whose error could be measured. +Inf in both is an overflow and NaN in both is no
    result: neither is excused.
    """
    mask: Array = np.asarray(expected == -np.inf)
    unexcused = ~(np.isfinite(expected) & np.isfinite(actual)) & ~(mask & (actual == -np.inf))
    return None if unexcused.any() else mask


def nonfinite_failure(expected: Array, actual: Array) -> tuple[str, str] | None:
    """``one-sided NaN``, ``one-sided Inf`` or ``non-finite output`` with what was seen; ``None``: nothing is wrong."""
    if masked_alike(expected, actual) is not None:
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
    return "non-finite output", f"{unusable} of {expected.size} values are NaN or infinite in both models"


def _place(bad: Array) -> str:
    first = np.unravel_index(int(np.argmax(bad)), bad.shape)
    return f"[{', '.join(str(int(index)) for index in first)}]" if bad.ndim else ""
