"""What a plot of one output's error needs: bounded in size whatever the output's, and plain numbers only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorHistogram:
    """How many values err by how much, in bins of equal width on a logarithmic axis.

    Bin ``i`` holds errors of a size from ``10 ** (first_decade + i / bins_per_decade)`` up to the next bin's. ``above``
    counts values that came out too large, ``below`` those too small: where the two differ, there is a bias.
    """

    first_decade: int
    bins_per_decade: int
    above: tuple[int, ...]
    below: tuple[int, ...]
    equal: int
    """Values without any error."""
    not_finite: int
    """Values that are NaN or infinite on either side: they stand in no bin."""


@dataclass(frozen=True)
class Scatter:
    """Pairs of values, ``expected[i]`` against ``actual[i]``: a uniform sample of all, at most 500 with the worst."""

    expected: tuple[float, ...]
    actual: tuple[float, ...]
    worst_expected: tuple[float, ...] = ()
    """The pairs farthest apart, which a uniform sample seldom holds; farthest first."""
    worst_actual: tuple[float, ...] = ()


@dataclass(frozen=True)
class InputPicture:
    """One input of the worst sample, made small."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    """Of this sample, without the batch axis, in PyTorch layout."""
    low: float | None
    high: float | None
    """Of its finite values; black and white of the picture."""
    png: str | None = None
    """Base64 of a PNG, where it is an image ``(1 or 3, height, width)`` or ``(height, width)``."""
    values: tuple[float | None, ...] = ()
    """The first 16, where it is no image; ``None``: not finite."""


@dataclass(frozen=True)
class WorstSample:
    """The sample with the largest RMS error on this output, and where on it the largest single error is."""

    index: int
    """Over all batches, from 0."""
    batch: str
    """File name of its batch."""
    row: int
    """In that batch."""
    rms_error: float | None
    """``None``: it is not finite."""
    place: tuple[int, ...]
    """Of the largest error in the sample, without the batch axis."""
    expected: float | None
    actual: float | None
    """The two values there; ``None``: not finite."""
    inputs: tuple[InputPicture, ...] = ()


@dataclass(frozen=True)
class ErrorPicture:
    """The error of one output over all batches."""

    histogram: ErrorHistogram
    scatter: Scatter
    worst: WorstSample | None
