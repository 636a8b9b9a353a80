"""Top-1 of a classifier: how often the largest score moves, and whether it was larger by more than the tolerance."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field

import numpy as np

from verify.metrics import Array
from verify.report.findings import Flip, Top1

SHOWN_FLIPS = 10


@dataclass(frozen=True)
class _Flip:
    sample: str
    expected_class: int
    given_class: int
    margin: float
    """Infinite where the scores are not finite."""


@dataclass
class Top1Tally:
    """Rows of one output (batch, classes). Eight bytes a sample are kept: the margins, for their median."""

    output: str = ""
    samples: int = 0
    agreeing: int = 0
    _margins: array[float] = field(default_factory=lambda: array("d"))
    _flip_margins: array[float] = field(default_factory=lambda: array("d"))
    _flips: list[_Flip] = field(default_factory=list)

    def note(self, output: str, expected: Array, actual: Array | None, batch: str) -> None:
        """Take in one batch; a batch that is missing or of another shape counts against the agreement."""
        self.output, self.samples = output, self.samples + len(expected)
        if actual is None or actual.shape != expected.shape:
            return
        wanted, given = expected.argmax(axis=1), actual.argmax(axis=1)
        with np.errstate(invalid="ignore"):
            second, first = np.partition(expected.astype(np.float64), -2, axis=1)[:, -2:].T
            margins = first - second
        self.agreeing += int((wanted == given).sum())
        self._margins.extend(margins[np.isfinite(margins)])
        for row in np.flatnonzero(wanted != given):
            margin = float(margins[row]) if np.isfinite(margins[row]) else math.inf
            self._flip_margins.append(margin)
            self._flips.append(_Flip(f"{batch}[{row}]", int(wanted[row]), int(given[row]), margin))
        self._flips = sorted(self._flips, key=lambda flip: -flip.margin)[:SHOWN_FLIPS]

    @property
    def agreement(self) -> float | None:
        """The share of samples; ``None`` without a classifier's output."""
        return self.agreeing / self.samples if self.samples else None

    def report(self, score_tolerance: float) -> Top1 | None:
        """``score_tolerance`` is how far a score may be off: margins up to twice that are ties."""
        if not self.samples:
            return None
        tie = 2 * score_tolerance
        ties = int(np.count_nonzero(np.frombuffer(self._flip_margins) <= tie)) if self._flip_margins else 0
        median = float(np.median(np.frombuffer(self._margins))) if self._margins else None
        flips = tuple(
            Flip(
                flip.sample,
                flip.expected_class,
                flip.given_class,
                flip.margin if math.isfinite(flip.margin) else None,
                flip.margin <= tie,
            )
            for flip in self._flips
        )
        return Top1(self.output, self.samples, self.agreeing, ties, median, flips, self._explanation(ties, median))

    def _explanation(self, ties: int, median: float | None) -> str:
        flipped = len(self._flip_margins)
        if not flipped:
            return f"Top-1 is the same for {self.agreeing} of {self.samples} samples."
        largest = max(self._flip_margins)
        typical = f", the median margin is {median:.3g}" if median is not None else ""
        return (
            f"Top-1 of {self.output} moves for {flipped} of {self.samples} samples, {ties} of them near ties; the "
            f"largest margin lost is {largest:.3g}{typical}."
        )
