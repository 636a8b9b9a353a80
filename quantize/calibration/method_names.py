"""Ways to choose ranges, as named on the command line and in recipes. Imports no numpy: ``--help`` shows them."""

from __future__ import annotations

from enum import StrEnum


class RangeMethod(StrEnum):
    """From what a tensor held to the range that it is made to hold."""

    MINMAX = "minmax"
    """Everything seen."""
    PERCENTILE = "percentile"
    """All but the outermost values on either side."""
    MSE = "mse"
    """What rounds and clips with the least squared error."""
    ENTROPY = "entropy"
    """What keeps the distribution of values, by Kullback and Leibler's measure."""
    MEAN = "mean"
    """The mean of the samples' extremes."""
    AVERAGE = "average"
    """A moving average of the samples' extremes, ai-edge-quantizer's own; it depends on the order of samples."""
    GIVEN = "given"
    """One range for all tensors, given without looking at any sample: such a file is for measuring speed only."""


class RangesOption(StrEnum):
    """``--ranges``: the method of every tensor, or the one that serves the output best."""

    AUTO = "auto"
    MINMAX = "minmax"
    PERCENTILE = "percentile"
    MSE = "mse"
    ENTROPY = "entropy"
    MEAN = "mean"
    AVERAGE = "average"

    @property
    def method(self) -> RangeMethod | None:
        """``None`` for ``auto``."""
        return None if self is RangesOption.AUTO else RangeMethod(self.value)
