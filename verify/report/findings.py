"""What was measured on one output or edge beside its error: ledgers, quantized errors, answers that changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NonFinite:
    """Values of one side that are no finite numbers."""

    nan: int
    positive_infinity: int
    negative_infinity: int
    first: str
    """Where the first one is, batch and index: ``batch_001.npz[1, 3]``."""


@dataclass(frozen=True)
class QuantizedErrors:
    """Errors in steps (LSB) of a quantized output. Shares are of all compared values."""

    step: float
    """Real size of one LSB: the output's scale."""
    within_one_step: float
    within_two_steps: float
    saturated: float
    """At an end of the output's range, where the expected value is more than a step away from that end."""
    explanation: str
    """One sentence with these numbers."""


@dataclass(frozen=True)
class Flip:
    """A sample whose largest score moved to another class."""

    sample: str
    """``batch_001.npz[1]``."""
    expected_class: int
    given_class: int
    margin: float | None
    """Between the expected scores' first and second; ``None`` where that is no finite number."""
    near_tie: bool
    """The margin is within what the scores may be off by: either answer is right."""


@dataclass(frozen=True)
class Top1:
    """How the largest scores of a classifier agree."""

    output: str
    samples: int
    agreeing: int
    near_ties: int
    """Flips whose margin is within the tolerance."""
    median_margin: float | None
    """Over all samples, of the expected scores."""
    flips: tuple[Flip, ...]
    """Those of the largest margins, at most ten."""
    explanation: str
    """One sentence."""


@dataclass(frozen=True)
class InputInfluence:
    """Whether an output moves when one input is replaced by that of another sample.

    Changes are the largest absolute ones, ``None`` where it could not be tried (an input that is the same in every
    sample).
    """

    input: str
    output: str
    expected_change: float | None
    actual_change: float | None
