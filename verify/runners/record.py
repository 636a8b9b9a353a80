"""What a run of one model over a folder of batches leaves besides its outputs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunRecord:
    """``latency_ms`` is the median of single-sample inferences after warm-up; ``None`` when it was not measured."""

    latency_ms: float | None
    batch_sizes: tuple[int, ...]
