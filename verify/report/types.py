"""The one report type. Renderings (JSON, HTML …) read it and decide nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from verify.model import ModelDescription
from verify.report.anatomy import Anatomy
from verify.report.findings import NonFinite, QuantizedErrors, Top1
from verify.report.picture_types import ErrorPicture
from verify.signature import Signature

SCHEMA_VERSION = "1"


class Verdict(StrEnum):
    """What a comparison, an edge or a whole run comes to."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


def worst_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """The one that decides: fail before inconclusive before pass; of nothing, inconclusive, never a pass."""
    found = set(verdicts)
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    return next((verdict for verdict in order if verdict in found), Verdict.INCONCLUSIVE)


class EdgeKind(StrEnum):
    """What an edge is judged against: float edges a measured noise floor, quantized edges a declared budget."""

    FLOAT = "float"
    QUANTIZED = "quantized"


@dataclass(frozen=True)
class OutputComparison:
    """One output of two models, over all batches of an edge.

    ``sqnr_db`` is 10·log10(Σ expected² / Σ (expected - actual)²); ``None`` when it is not defined (bit-identical, or
    nothing comparable: ``failure`` then says which). ``noise_floor_multiple`` is the RMS error over the edge's floor.
    """

    name: str
    verdict: Verdict
    failure: str | None
    """Why it fails, under its own name: ``missing output``, ``wrong shape``, ``one-sided NaN``, ``over tolerance`` …"""
    explanation: str
    """One sentence with the numbers that decided."""
    compared_values: int
    identical: bool
    sqnr_db: float | None
    max_abs_error: float | None
    rms_error: float | None
    tolerance_rms: float | None
    noise_floor_multiple: float | None
    expected_nonfinite: NonFinite | None = None
    """``None`` when every value of the expected side is finite."""
    actual_nonfinite: NonFinite | None = None
    quantized: QuantizedErrors | None = None
    """Where the judged model quantizes this output."""
    worst_sample: str = ""
    """The sample with the most error: ``batch_001.npz[1]``; empty when none has any."""
    picture: ErrorPicture | None = None
    """How the error is spread, for plots; only where it was asked for."""


def nothing_compared(name: str, failure: str, explanation: str) -> OutputComparison:
    """The comparison of an output that failed before there was anything to measure."""
    return OutputComparison(
        name=name,
        verdict=Verdict.FAIL,
        failure=failure,
        explanation=explanation,
        compared_values=0,
        identical=False,
        sqnr_db=None,
        max_abs_error=None,
        rms_error=None,
        tolerance_rms=None,
        noise_floor_multiple=None,
    )


@dataclass(frozen=True)
class TaskComparison:
    """The task metric of both models on the same labelled samples, and how much worse the second one is."""

    measure: str
    """``top-1``, ``mIoU``, ``mAP50``."""
    samples: int
    expected: float
    actual: float
    drop: float
    drop_low: float
    """Ends of the 95 % confidence interval of the drop, paired over samples."""
    drop_high: float
    max_drop: float
    verdict: Verdict
    explanation: str
    """One sentence with the numbers that decided."""


@dataclass(frozen=True)
class EdgeReport:
    """Two models fed the same samples. ``expected`` and ``actual`` are artifact names (``pytorch``, ``onnx`` …)."""

    expected: str
    actual: str
    kind: EdgeKind
    verdict: Verdict
    budget: str
    """What it was judged against, as a phrase with its number."""
    batch_sizes: tuple[int, ...]
    sample_count: int
    outputs: tuple[OutputComparison, ...]
    top1_agreement: float | None = None
    """Share of samples whose arg max agrees, for classifiers."""
    top1: Top1 | None = None
    """The samples whose arg max moved, with their margins, for classifiers."""
    task: TaskComparison | None = None
    """How well both do the task, where labels are given."""
    notes: tuple[str, ...] = ()
    """What is worth a word and no failure: an input that neither model heeds."""


@dataclass(frozen=True)
class StageReport:
    """One stage as it ran."""

    name: str
    title: str
    """What it did, for a person: ``PyTorch → ONNX``."""
    seconds: float
    peak_memory_bytes: int | None
    reused: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """Something not done, and why: an op left in float, a fallback taken, a rewrite declined, a sample rejected."""

    stage: str
    subject: str
    reason: str
    remedy: str = ""
    count: int = 1


class RungOutcome(StrEnum):
    """What a rung of the ladder came to."""

    USED = "used"
    """The files are of this one."""
    PARITY = "parity"
    """It converted, and a float file does not agree."""
    FAILED = "failed"
    """It did not convert."""


@dataclass(frozen=True)
class Rung:
    """One way to the float files, as far as it was tried: an exporter and a lowering. ``reason`` is why it was left.

    ``exporter`` is empty for a run that starts from ONNX, ``lowering`` for one that stops there.
    """

    exporter: str
    """``newer`` or ``older``, of torch's."""
    lowering: str
    """``exact`` or ``onnx2tf``."""
    outcome: RungOutcome
    reason: str = ""


@dataclass(frozen=True)
class ArtifactReport:
    """One file (or SavedModel folder) that was made."""

    name: str
    """``onnx``, ``saved_model``, ``float32``, ``float16``, ``dynamic_int8``, ``int8``."""
    file: str
    """Path inside the output folder."""
    format: str
    size_bytes: int
    sha256: str
    signature: Signature
    latency_ms: float | None = None
    """Median of one inference at batch 1 on this machine, default delegate."""
    op_counts: tuple[tuple[str, int], ...] = ()
    """Op type and how many, most frequent first (TFLite and ONNX)."""
    float_op_counts: tuple[tuple[str, int], ...] = ()
    """In a quantized file: ops that still compute in float."""
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Report:
    """Everything a run found out; ``report.json`` is this, ``report.html`` shows it."""

    schema_version: str
    verdict: Verdict
    headline: str
    """One sentence that answers: can I ship this, and if not, why?"""
    next_steps: tuple[str, ...]
    command: str
    created: str
    """ISO 8601, UTC."""
    input_file: str
    input_sha256: str
    model: ModelDescription | None
    """None when the run started from an ONNX file or a SavedModel."""
    samples: str
    """Which samples judged, as a phrase."""
    stages: tuple[StageReport, ...]
    artifacts: tuple[ArtifactReport, ...]
    edges: tuple[EdgeReport, ...]
    refusals: tuple[Refusal, ...]
    total_seconds: float
    peak_memory_bytes: int | None
    versions: tuple[tuple[str, str], ...]
    """Library name and version, ours first."""
    rungs: tuple[Rung, ...] = ()
    """The ways to the float files, in the order in which they were tried; at most one of them is used."""
    anatomy: Anatomy | None = None
    """What the int8 file is like inside, where one was made."""

    @property
    def used_rung(self) -> Rung | None:
        """The way on which the files were made."""
        return next((rung for rung in self.rungs if rung.outcome is RungOutcome.USED), None)
