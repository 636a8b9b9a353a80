"""One run: a model, a tuple of stages, and what comes of it, from the first worker to the published folder.

The heavy processes overlap where memory allows: TensorFlow is imported while torch exports, PyTorch gives its reference
outputs while TensorFlow lowers, the SavedModel is judged while LiteRT quantizes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from convert.hosts import Hosts
from convert.parity import ParityRuns
from convert.pipeline import Step
from convert.progress import Progress
from convert.settings import RunSettings
from convert.stages.base import Host, Stage
from convert.workspace import Workspace
from verify.artifact import Artifact, Format, sha256_of
from verify.report.types import Report, StageReport

LARGE_WEIGHTS_BYTES = 200_000_000
"""From here on, processes take turns instead of overlapping: memory is dearer than seconds."""


@dataclass(frozen=True)
class Outcome:
    """A finished run: its report, and the folder that was published."""

    report: Report
    folder: Path
    reused: bool = False


@dataclass
class Frugality:
    """An observer that ends a worker once no later stage needs it: at once for large models, else when torch is through."""

    hosts: Hosts
    large: bool

    def started(self, stage: Stage) -> None:
        """Nothing to do: memory is given back after stages."""

    def finished(self, step: Step, artifact: Artifact, report: StageReport, remaining: Sequence[Stage]) -> None:
        """Close what is no longer needed."""
        del artifact, report
        needed = {stage.host for stage in remaining}
        after_lowering = step.stage.host is not Host.TORCH
        for host in (Host.TORCH, Host.TENSORFLOW):
            if host in needed or not after_lowering:
                continue
            if host is Host.TORCH or self.large:
                self.hosts.close(host)
