"""What belongs to a run as a whole rather than to one of its stages."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from verify.tolerance import INT8_MIN_SQNR_DB
from verify.worker import Limits

@dataclass(frozen=True)
class RunSettings:
    """Options of a run. ``calibration`` and ``evaluation`` are sample sources, as ``--calib`` takes them.

    ``max_judging`` bounds how many samples judge; ``int8_min_sqnr_db`` is the budget of static int8 in dB.
    """

    output: Path | None = None
    calibration: str | None = None
    evaluation: str | None = None
    max_judging: int = 32
    seed: int = 0
    int8_min_sqnr_db: float = INT8_MIN_SQNR_DB
    limits: Limits = field(default_factory=Limits)
    command: str = ""
    """How the run was asked for, as the report shows it."""
