"""What belongs to a run as a whole rather than to one of its stages."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from convert.stages.base import flag
from verify.tolerance import INT8_MIN_SQNR_DB
from verify.worker import Limits

MOST_LOG_BYTES = 256 * 2**20
"""A model that prints without end is ended before it fills the disk."""


@dataclass(frozen=True)
class RunFlags:
    """Flags that every command has."""

    title: ClassVar[str] = "Run"

    output: Path | None = flag(
        None, "Folder to publish to. The model's name, in the current folder, if left out.", cli_name="--output/-o"
    )
    samples: str | None = flag(
        None,
        "Samples to judge on: a folder of images, .npz/.npy, or module:callable. Random ones if left out.",
        metavar="SAMPLES",
    )
    max_judging: int = flag(32, "Judge on at most this many samples.")
    seed: int = flag(0, "Seed of random samples.")
    timeout: float | None = flag(None, "Most seconds that any one stage may take.")
    memory_limit: float | None = flag(None, "Most GiB that any one worker may use.")
    as_json: bool = flag(False, "Print the report on stdout as JSON.", cli_name="--json")
    quiet: bool = flag(False, "No progress.", cli_name="--quiet/-q")
    verbose: bool = flag(False, "Show the libraries' own log at the end.", cli_name="--verbose/-v")


@dataclass(frozen=True)
class CalibrationFlags:
    """Flags of the commands that can make int8."""

    title: ClassVar[str] = "Static int8"

    calib: str | None = flag(
        None,
        "Samples to calibrate on: a folder of images, .npz/.npy, module:callable, or 'synthetic' for inputs distilled "
        "from batch norms. Makes the int8 file; unless --samples names others, some are held out to judge it.",
        metavar="SAMPLES",
    )
    int8_min_sqnr_db: float = flag(INT8_MIN_SQNR_DB, "Least signal over quantization noise of an int8 file, dB.")


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


def settings_from_flags(run: RunFlags, calibration: CalibrationFlags | None, command: str) -> RunSettings:
    """The settings of a command line; ``calibration`` is ``None`` for commands that make no int8."""
    memory_bytes = int(run.memory_limit * 2**30) if run.memory_limit is not None else None
    return RunSettings(
        output=run.output,
        calibration=calibration.calib if calibration else None,
        evaluation=run.samples,
        max_judging=run.max_judging,
        seed=run.seed,
        int8_min_sqnr_db=calibration.int8_min_sqnr_db if calibration else INT8_MIN_SQNR_DB,
        limits=Limits(timeout_s=run.timeout, memory_bytes=memory_bytes, log_bytes=MOST_LOG_BYTES),
        command=command,
    )
