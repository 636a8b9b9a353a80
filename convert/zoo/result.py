"""What came of a job."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from convert.zoo.job import JobLimits
from verify.errors import ExitCode
from verify.report.types import Rung


class Outcome(StrEnum):
    """How a job ended. The first four are about the model's numbers, the rest about getting there."""

    OK = "ok"
    PARITY = "parity"
    """A float file drifts from the model it was made of."""
    BUDGET = "budget"
    """A quantized file, or a size, misses its declared budget."""
    INCONCLUSIVE = "inconclusive"
    CONVERSION = "conversion"
    BAD_INPUT = "bad input"
    OOM = "oom"
    TIMEOUT = "timeout"
    SIGNAL = "signal"
    INFRASTRUCTURE = "infrastructure"

    @property
    def exit_code(self) -> ExitCode:
        """What ``convert pth2tflite`` would have left with."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.OK: ExitCode.PASS,
    Outcome.PARITY: ExitCode.PARITY_FAILED,
    Outcome.BUDGET: ExitCode.PARITY_FAILED,
    Outcome.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Outcome.CONVERSION: ExitCode.CONVERSION_FAILED,
    Outcome.BAD_INPUT: ExitCode.BAD_INPUT,
    Outcome.OOM: ExitCode.INFRASTRUCTURE,
    Outcome.TIMEOUT: ExitCode.INFRASTRUCTURE,
    Outcome.SIGNAL: ExitCode.INFRASTRUCTURE,
    Outcome.INFRASTRUCTURE: ExitCode.INFRASTRUCTURE,
}


@dataclass(frozen=True)
class StoredFile:
    """A file of a job's output folder, by its POSIX path there, and the hash under which the store holds its bytes."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class TargetResult:
    """One file that was asked for. ``sqnr_db`` and ``top1_agreement`` are against the model the run started from."""

    name: str
    file: str
    size_bytes: int
    outcome: Outcome
    """Ok, parity, budget or inconclusive."""
    why: str = ""
    """One sentence with the number that decided, where it is not ok."""
    sqnr_db: float | None = None
    """``None`` where it is not defined: bit-identical, or nothing comparable."""
    top1_agreement: float | None = None
    latency_ms: float | None = None
    """Median of one inference at batch 1; other jobs ran on the machine at the same time."""
    float_ops: int = 0
    """In a quantized file: ops that still compute in float."""


@dataclass(frozen=True)
class Conversion:
    """What the child answers: the model was converted, and this is how good it is."""

    outcome: Outcome
    headline: str
    architecture: str = ""
    input_sha256: str = ""
    targets: tuple[TargetResult, ...] = ()
    files: tuple[StoredFile, ...] = ()
    """The whole output folder, ``report.html`` and ``report.json`` included; all of it is in the store."""
    reused_stages: tuple[str, ...] = ()
    """Stages whose artifact the store already had."""
    refusals: int = 0
    rung: Rung | None = None
    """The exporter and the lowering that the files were made by."""


@dataclass(frozen=True)
class JobResult:
    """How a job ended, whatever happened to it. Without a ``conversion``, ``what`` and ``fix`` say why."""

    id: str
    key: str
    outcome: Outcome
    signal: int | None = None
    """With the outcome ``signal``: its number."""
    what: str = ""
    fix: str = ""
    context: tuple[str, ...] = ()
    conversion: Conversion | None = None
    log: StoredFile | None = None
    """What the job and its libraries printed, its middle left out where it is long."""
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    attempts: int = 1
    limits: JobLimits = field(default_factory=JobLimits)
    host: str = ""
    finished: str = ""
    """ISO 8601, UTC."""
    code_sha256: str = ""
    """Of our own sources (:func:`convert.workspace.code_sha256`), so that results of other code are told apart."""

    @property
    def label(self) -> str:
        """The outcome as a table shows it: ``signal 11``."""
        return f"{self.outcome} {self.signal}" if self.signal is not None else str(self.outcome)
