"""What the user asks of a verification."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from verify.model import ModelSource
from verify.opening import Layout
from verify.samples.source import RandomSamples, SampleSource
from verify.worker import Limits


@dataclass(frozen=True)
class ChainSettings:
    """``min_sqnr_db`` replaces the budget that follows from how the files are quantized.

    ``checkpoint`` says how PyTorch checkpoints are to be opened; its path is not used. Its ``inputs`` also describe
    the inputs of the other formats (``ids=N,16:int64:0..29999``).
    """

    samples: SampleSource = field(default_factory=RandomSamples)
    max_samples: int = 32
    min_sqnr_db: float | None = None
    max_drop: float | None = None
    """How much worse a quantized model may do its task, as a share: the labels are those of the samples."""
    layouts: tuple[Layout, ...] = ()
    checkpoint: ModelSource = field(default_factory=lambda: ModelSource(Path()))
    limits: Limits = field(default_factory=Limits)
    alone: bool = False
    """Whether one model will do, because its outputs are wanted and not its agreement with another's."""
    latencies: bool = True
    """Whether each model's single-sample latency is measured; a terminal does not show them."""
    pictures: bool = False
    """Whether every output gets a picture of its error, for a report."""
    command: str = ""
    """How the run was asked for, as the report shows it."""

    def source(self, path: Path) -> ModelSource:
        """How that checkpoint is opened."""
        return replace(self.checkpoint, path=path)
