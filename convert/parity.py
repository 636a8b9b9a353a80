"""Runs every artifact on the same samples while the pipeline goes on, then compares every edge.

An observer of the pipeline: it queues inference on the worker that can run an artifact, at a moment when that worker has
nothing better to do, and judges at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from convert.hosts import Hosts
from convert.pipeline import Step
from convert.stages.base import Host, Stage
from verify.artifact import Artifact, Format
from verify.report.types import StageReport
from verify.runners import run_artifact
from verify.runners.record import RunRecord
from verify.worker import JobOutcome

_HOST_OF = {
    Format.ONNX: Host.RUNTIME,
    Format.SAVED_MODEL: Host.TENSORFLOW,
    Format.TFLITE: Host.RUNTIME,
}


@dataclass
class ParityRuns:
    """What every artifact gives for the judging samples.

    ``batches`` waits for the samples and returns their folder; outputs go to ``scratch/outputs/<artifact>``.
    """

    hosts: Hosts
    batches: Callable[[], Path]
    scratch: Path
    _waiting: list[tuple[str, Artifact]] = field(default_factory=list)
    _running: dict[str, Future[JobOutcome[RunRecord]]] = field(default_factory=dict)

    def started(self, stage: Stage) -> None:
        """Nothing to do: inference follows a stage."""

    def finished(self, step: Step, artifact: Artifact, report: StageReport, remaining: Sequence[Stage]) -> None:
        """Queue what has become possible, leaving the next stage's worker to the next stage."""
        del report
        self._waiting.append((step.stage.artifact_name, artifact))
        busy = remaining[0].host if remaining else None
        for name, waiting in [entry for entry in self._waiting if _HOST_OF[entry[1].format] is not busy]:
            self._waiting.remove((name, waiting))
            self._queue(name, waiting)

    def outputs(self, name: str) -> Path:
        """Where an artifact's outputs lie once it has run."""
        return self.scratch / "outputs" / name

    def wait(self) -> dict[str, RunRecord]:
        """All records by artifact name, once every queued inference is done."""
        for name, artifact in self._waiting:
            self._queue(name, artifact)
        self._waiting.clear()
        return {name: future.result().value for name, future in self._running.items()}

    def run_now(self, name: str, artifact: Artifact) -> None:
        """Queue an artifact that no stage made: the starting model of a run that begins after PyTorch."""
        self._queue(name, artifact)

    def _queue(self, name: str, artifact: Artifact) -> None:
        outputs = self.outputs(name)
        outputs.mkdir(parents=True, exist_ok=True)
        worker = self.hosts.worker(_HOST_OF[artifact.format])
        self._running[name] = worker.submit(
            run_artifact,
            artifact=artifact,
            batches=self.batches(),
            outputs=outputs,
            measure_latency=artifact.format is Format.TFLITE,
        )
