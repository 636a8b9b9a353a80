"""What a self-test found out: of each kind of fault, whether it was noticed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

TIGHT_DB = 1.0
"""Room that a tight budget leaves for other samples."""


class Outcome(StrEnum):
    """What came of one fault."""

    DETECTED = "detected"
    SLIPPED = "slipped through"
    HARMLESS = "harmless"
    """It changes no output beyond rounding."""
    WITHIN_NOISE = "within noise"
    """It changes outputs by less than the model's own quantization does."""
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class FaultResult:
    """One fault. ``evidence`` is what noticed it, how little it changes, or why it does not apply."""

    kind: str
    title: str
    outcome: Outcome
    evidence: str
    where: str = ""
    ran: bool = True
    """False where the faulty copy could not be run, or was refused for what it declares."""
    noticed_when_tight: bool = False
    """Whether a budget as tight as :attr:`SelfTest.tight_sqnr_db` notices it, or the present one does."""


@dataclass(frozen=True)
class SelfTest:
    """All faults of one model; ``clean`` says how the model itself was judged, which must be a pass."""

    expected: str
    actual: str
    samples: str
    budget: str
    clean: str
    results: tuple[FaultResult, ...]
    clean_passes: bool = True
    tight_sqnr_db: float | None = None
    """Of a quantized model: ``TIGHT_DB`` below the SQNR that it reaches, at its worst output."""
    seconds: float = 0.0

    def of(self, *outcomes: Outcome) -> tuple[FaultResult, ...]:
        """The faults with one of these outcomes."""
        return tuple(result for result in self.results if result.outcome in outcomes)

    @property
    def harmful(self) -> tuple[FaultResult, ...]:
        """Those that change the outputs by more than rounding, or the model's own quantization, does."""
        return self.of(Outcome.DETECTED, Outcome.SLIPPED)

    @property
    def headline(self) -> str:
        """``detected 23/23``."""
        return f"detected {len(self.of(Outcome.DETECTED))}/{len(self.harmful)}"

    @property
    def passed(self) -> bool:
        """Whether the model itself passes, none slipped through, and at least one was there to be noticed."""
        return self.clean_passes and not self.of(Outcome.SLIPPED) and bool(self.of(Outcome.DETECTED))
