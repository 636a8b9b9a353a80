"""What ``make faults`` measures, as it is kept."""

from __future__ import annotations

from dataclasses import dataclass

from verify.faults.result import SelfTest


@dataclass(frozen=True)
class Tested:
    """One file that got faults.

    ``default`` is judged as ``verify`` does it unasked; ``tight``, of an int8 file, by what it reaches less 1 dB.
    ``default`` is ``None`` where the int8 file itself does not keep the default budget.
    """

    subject: str
    file: str
    """``onnx``, ``float32`` or ``int8``."""
    default: SelfTest | None
    tight: SelfTest | None = None

    @property
    def strict(self) -> SelfTest:
        """The stricter of the two."""
        test = self.tight or self.default
        assert test is not None
        return test


@dataclass(frozen=True)
class Clean:
    """One conversion that has no fault: checkpoint, ONNX and float TFLite, each edge judged."""

    subject: str
    verdict: str
    headline: str
    edges: int
    worst_floors: float
    """The largest RMS error of any output and edge, in noise floors."""
    seconds: float


@dataclass(frozen=True)
class Kept:
    """What one subject came to, and of which files and code."""

    key: str
    tested: tuple[Tested, ...] = ()
    clean: Clean | None = None
