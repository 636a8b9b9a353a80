"""Runs every artifact on the same samples while the pipeline goes on, so that every edge can be judged at the end.

Observers of the pipeline: they queue inference on the worker that can run an artifact, at a moment when that worker has
nothing better to do.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from convert.hosts import Hosts
from convert.pipeline import Step
from convert.stages.base import Host, Stage
from verify.artifact import Artifact, Format
from verify.errors import ToolError, WorkerDied
from verify.model import ModelSource
from verify.report.types import Refusal, StageReport
from verify.runners import run_artifact
from verify.runners.record import RunRecord
from verify.runners.torch_runner import run_reference
from verify.worker import JobOutcome

_HOST_OF = {
    Format.ONNX: Host.RUNTIME,
    Format.SAVED_MODEL: Host.TENSORFLOW,
    Format.TFLITE: Host.RUNTIME,
}


@dataclass
class ArtifactRuns:
    """Feeds the judging samples to every artifact; outputs of an artifact lie in ``outputs/<its name>``.

    ``batches`` waits for the samples and returns their folder.
    """

    hosts: Hosts
    batches: Callable[[], Path]
    outputs: Path
    _waiting: list[tuple[str, Artifact]] = field(default_factory=list)
    _running: dict[str, Future[JobOutcome[RunRecord]]] = field(default_factory=dict)

    def started(self, stage: Stage) -> None:
        """Nothing to do: inference follows a stage."""

    def finished(self, step: Step, artifact: Artifact, report: StageReport, remaining: Sequence[Stage]) -> None:
        """Queue what has become possible, leaving the next stage's worker to the next stage."""
        del report
        self._waiting.append((step.stage.artifact_name, artifact))
        busy = remaining[0].host if remaining else None
        ready = [entry for entry in self._waiting if _HOST_OF[entry[1].format] is not busy]
        self._waiting = [entry for entry in self._waiting if entry not in ready]
        for name, waiting in ready:
            self.queue(name, waiting)

    def queue(self, name: str, artifact: Artifact) -> None:
        """Run an artifact when its worker is free."""
        self._running[name] = self.hosts.worker(_HOST_OF[artifact.format]).submit(
            run_artifact,
            artifact=artifact,
            batches=self.batches(),
            outputs=self.outputs / name,
            measure_latency=artifact.format is Format.TFLITE,
        )

    def wait(self) -> dict[str, RunRecord]:
        """All records by artifact name, once everything has run; raises what a run raised."""
        return {name: future.result().value for name, future in self._running.items()}


@dataclass
class TorchReference:
    """PyTorch's own outputs: float32 to compare with, float64 on the first batches to measure the noise floor from.

    A program with float32 written into it (TorchScript, ``.pt2``) may not run in float64: the floor is then a bound.
    """

    hosts: Hosts
    source: ModelSource
    batches: Callable[[], Path]
    floor_batches: Callable[[], Path]
    outputs: Path
    _running: dict[str, Future[JobOutcome[RunRecord]]] = field(default_factory=dict)

    def started(self, stage: Stage) -> None:
        """Nothing to do: the reference follows the export."""

    def finished(self, step: Step, artifact: Artifact, report: StageReport, remaining: Sequence[Stage]) -> None:
        """After the export, whose output names it takes over."""
        del report, remaining
        if step.stage.host is not Host.TORCH:
            return
        names = tuple(spec.name for spec in artifact.signature.outputs)
        for precision, batches, name in (
            ("float32", self.batches, "pytorch"),
            ("float64", self.floor_batches, "pytorch_float64"),
        ):
            self._running[precision] = self.hosts.worker(Host.TORCH).submit(
                run_reference,
                source=self.source,
                output_names=names,
                batches=batches(),
                outputs=self.outputs / name,
                precision=precision,
            )

    def wait(self) -> tuple[Refusal, ...]:
        """Return once both are there, with why there is no float64 if there is none; raises what float32 raised."""
        self._running["float32"].result()
        try:
            self._running["float64"].result()
        except WorkerDied:
            raise
        except ToolError as error:
            shutil.rmtree(self.outputs / "pytorch_float64", ignore_errors=True)
            return (
                Refusal(
                    stage="parity",
                    subject="noise floor from float64 PyTorch",
                    reason=error.what,
                    remedy="float edges are judged against a rounding bound instead",
                ),
            )
        return ()
