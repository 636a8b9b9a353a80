"""Whether an output varies at all, and whether it varies from sample to sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verify.metrics import Array


@dataclass
class Variation:
    """Of one side; it holds the extremes and one sample."""

    lowest: float = np.inf
    highest: float = -np.inf
    first_sample: Array | None = None
    samples_differ: bool = False

    def note(self, values: Array) -> None:
        """Take in one batch of numbers, infinities included."""
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
            return "it is zero everywhere" if self.lowest == 0 else f"every value is {self.lowest:g}"
        if sample_count > 1 and self.first_sample is not None and not self.samples_differ:
            return f"it is the same for all {sample_count} samples, although the samples differ"
        return None
