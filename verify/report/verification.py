"""What ``verify A B [C …]`` found out. Renderings (JSON, HTML, Markdown, JUnit …) read it and decide nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from verify.report.types import EdgeReport, Refusal, Verdict

VERIFICATION_SCHEMA_VERSION = "1"
NOT_FINITE_DB = -1000.0
"""In a file, the SQNR of a layer that is not finite on one side: JSON has no infinity, and ``null`` means identical."""


@dataclass(frozen=True)
class VerifiedModel:
    """One of the models. ``name`` is unique in the report: its file's name, with a folder where two share that."""

    name: str
    path: str
    format: str
    sha256: str
    size_bytes: int
    latency_ms: float | None = None
    """Median of one inference at batch 1 on this machine."""


@dataclass(frozen=True)
class Layer:
    """One tensor that two models have in common, in the order in which the judged model computes it.

    SQNR in dB of ``actual`` against ``expected``; ``None`` when both are the same to the bit, minus infinity (in a file
    :data:`NOT_FINITE_DB`) when one side alone is not finite.
    """

    expected_tensor: str
    actual_tensor: str
    op: str
    """Type of the op that gives it in the judged model: ``CONV_2D``."""
    op_index: int
    """Of that op in its file: a TFLite operator's number, an ONNX node's place."""
    sqnr_db: float | None
    """Cumulative: both models fed the samples."""
    local_sqnr_db: float | None = None
    """This op alone, fed what the trusted model has there; ``None`` also where it was not measured."""
    aligned_by: str = ""
    """``structure``, ``fingerprint`` …"""
    onnx_node: str = ""
    module: str = ""
    """PyTorch module path: ``layer1.0.conv1``."""
    source: str = ""
    """``file:line`` of the PyTorch code."""
    module_type: str = ""
    """``Conv2d``, where it is known."""
    times_rounding: float | None = None
    """A quantized op's own error in its worst channel, as a multiple of what its rounding explains."""


@dataclass(frozen=True)
class Culprit:
    """The first layer that goes wrong by itself; ``reproducer`` is a folder with it and its inputs: they fail alone."""

    layer: Layer
    explanation: str
    reproducer: str | None = None


@dataclass(frozen=True)
class Localisation:
    """Where two models part. ``layers`` are in order; ``unaligned`` says what has no counterpart, and why."""

    expected: str
    actual: str
    layers: tuple[Layer, ...]
    culprit: Culprit | None
    unaligned: tuple[Refusal, ...] = ()
    beyond_rounding: bool = False
    """Whether the culprit is a quantized op whose error its own rounding does not explain."""


@dataclass(frozen=True)
class InputCoverage:
    """What one input was fed: ``shapes`` that were tried, the range of its values, and what that leaves open."""

    name: str
    dtype: str
    shapes: tuple[tuple[int, ...], ...]
    low: float | None
    high: float | None
    source: str
    """``random, seed 0``, ``samples from photos/`` …"""
    gaps: tuple[str, ...] = ()


class Standing(StrEnum):
    """Where an output stands against what a lock file records of it."""

    SAME = "as recorded"
    BETTER = "better"
    WORSE = "worse"
    NEW = "not recorded"
    VANISHED = "not compared"
    ACCEPTED = "accepted"
    EXPIRED = "no longer accepted"
    OTHER_SAMPLES = "other samples"


@dataclass(frozen=True)
class Drift:
    """One output against its record, as RMS errors in the output's units."""

    expected: str
    actual: str
    output: str
    standing: Standing
    recorded_rms: float | None
    measured_rms: float | None
    allowed_rms: float | None
    """The record and its slack."""
    explanation: str


@dataclass(frozen=True)
class Baseline:
    """What a lock file had to say. ``recorded``: this run wrote it, and was judged by its exceptions only."""

    file: str
    drifts: tuple[Drift, ...]
    recorded: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verification:
    """Everything a run of ``verify`` found out. Edges: each model against its predecessor, and against the first."""

    schema_version: str
    verdict: Verdict
    headline: str
    """One sentence that answers: do they agree, and if not, where do they part?"""
    next_steps: tuple[str, ...]
    command: str
    created: str
    """ISO 8601, UTC."""
    models: tuple[VerifiedModel, ...]
    samples: str
    inputs: tuple[InputCoverage, ...]
    edges: tuple[EdgeReport, ...]
    localisations: tuple[Localisation, ...] = ()
    notes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    total_seconds: float = 0.0
    versions: tuple[tuple[str, str], ...] = ()
    baseline: Baseline | None = None
    """The run against a lock file, where one was named."""
