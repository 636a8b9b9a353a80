"""The rows of the coverage table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

LEAST_FLOAT_DB = 90.0
"""What every float edge keeps, beside its own budget, where a model counts as converted."""


class Status(StrEnum):
    """What came of a model."""

    EXACT = "exact"
    """Every float edge within its budget, and at least 90 dB."""
    CONVERTED = "converted"
    """The files are there, and a float edge is not what it should be."""
    FAILED = "failed"
    REFUSED = "refused"
    """Nobody tries: the manifests leave it out with a reason."""
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Onnx2tf:
    """The same ONNX through onnx2tf's default road. ``error`` where it, or LiteRT with its file, stops."""

    version: str
    error: str = ""
    seconds: float | None = None
    """ONNX to its Keras model, its saving switched off; onnxsim is in it."""
    sqnr_db: dict[str, float] = field(default_factory=dict)
    """By batch size, against onnxruntime; of all orders of an output's axes the best counts, in its favour."""
    batch_errors: dict[str, str] = field(default_factory=dict)
    """Batch sizes at which LiteRT cannot run its file, and why."""
    ops: int | None = None
    transposes: int | None = None
    flex: tuple[str, ...] = ()
    ours_ms: float | None = None
    theirs_ms: float | None = None
    ratio: float | None = None
    """Median over neighbouring runs of ours over theirs, batch 1, one process, by turns."""


@dataclass(frozen=True)
class Peer:
    """The same checkpoint through litert-torch, float32, at a fixed batch of 1, as a script of a dozen lines."""

    version: str
    error: str = ""
    seconds: float | None = None
    our_seconds: float | None = None
    """The whole commands, one after the other; ours makes its other files too and judges each edge."""
    ours_ms: float | None = None
    theirs_ms: float | None = None
    ratio: float | None = None


@dataclass(frozen=True)
class Row:
    """One model. dB are SQNR, the worst output; against PyTorch where nothing else is said; ``null``: bit-identical."""

    id: str
    zoo: str
    group: str
    status: Status
    why: str = ""
    """Where it is not exact: the reason in one line."""
    code: str = ""
    commit: str = ""
    finished: str = ""
    edges_db: dict[str, float | None] = field(default_factory=dict)
    worst_float_db: float | None = None
    dynamic_batch: bool = False
    """Each float file ran at batch 1, 2 and 5 and was compared there."""
    ops: int | None = None
    transposes: int | None = None
    onnx_transposes: int | None = None
    flex: tuple[str, ...] = ()
    float32_ms: float | None = None
    """While other jobs may have run."""
    int8_loads: bool | None = None
    int8_db: float | None = None
    int8_why: str = ""
    """Why there is no int8 file."""
    seconds: float | None = None
    lowering_seconds: float | None = None
    """ONNX to SavedModel, written to disk."""
    lowering_peak_bytes: int | None = None
    weight_bytes: int | None = None
    peak_bytes: int | None = None
    rung: str = ""
    left_rungs: tuple[str, ...] = ()
    """The ways that were tried before, and why they were left."""
    refusals: tuple[str, ...] = ()
    onnx2tf: Onnx2tf | None = None
    litert_torch: Peer | None = None


def by_group(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Rows by their groups, in the order of first appearance."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    yield from groups.items()
