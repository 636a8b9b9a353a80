"""Runs every artifact on the same samples while the pipeline goes on, so that every edge can be judged at the end.

Observers of the pipeline: they queue inference on the worker that can run an artifact, at a moment when that worker has
nothing better to do.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

from convert.hosts import Hosts
from convert.pipeline import Step
from convert.stages.base import Host, Stage
from verify.artifact import Artifact, Format
from verify.errors import ToolError, WorkerDied
from verify.model import ModelSource
from verify.report.types import Refusal, StageReport
from verify.runners import measure_artifact, run_artifact
from verify.runners.record import RunRecord
from verify.runners.torch_runner import run_reference
from verify.spread import Spread, measure_torch_spread
from verify.worker import JobOutcome

_HOST_OF = {
    Format.ONNX: Host.RUNTIME,
    Format.SAVED_MODEL: Host.TENSORFLOW,
    Format.TFLITE: Host.RUNTIME,
}

FLOAT_ARTIFACTS = frozenset({"onnx", "saved_model", "float32"})


def _waits(name: str, artifact: Artifact, following: Stage) -> bool:
    """Whether an artifact's run leaves its worker to the stage that follows."""
    if _HOST_OF[artifact.format] is not following.host:
        return False
    return name not in FLOAT_ARTIFACTS or following.artifact_name in FLOAT_ARTIFACTS


@dataclass
class ArtifactRuns:
    """Feeds the judging samples to every artifact; :meth:`folder` has the outputs of each.

    ``batches`` waits for the samples and returns their folder.
    """

    hosts: Hosts
    batches: Callable[[], Path]
    outputs: Path
    _waiting: list[tuple[str, Artifact]] = field(default_factory=list)
    _artifacts: dict[str, Artifact] = field(default_factory=dict)
    _running: dict[str, Future[JobOutcome[RunRecord]]] = field(default_factory=dict)
    """By the artifact's content: what several rungs of the ladder have in common runs once."""

    def started(self, stage: Stage) -> None:
        """Nothing to do: inference follows a stage."""

    def finished(self, step: Step, artifact: Artifact, report: StageReport, remaining: Sequence[Stage]) -> None:
        """Queue what has become possible, leaving the next stage's worker to the next stage.

        A float file does not wait for the quantized ones, which would be for nothing if it does not agree.
        """
        del report
        self._waiting.append((step.stage.artifact_name, artifact))
        following = remaining[0] if remaining else None
        ready = [entry for entry in self._waiting if following is None or not _waits(*entry, following)]
        self._waiting = [entry for entry in self._waiting if entry not in ready]
        for name, waiting in ready:
            self.queue(name, waiting)

    def queue(self, name: str, artifact: Artifact) -> None:
        """Run an artifact when its worker is free."""
        self._artifacts[name] = artifact
        if artifact.sha256 not in self._running:
            self._running[artifact.sha256] = self.hosts.worker(_HOST_OF[artifact.format]).submit(
                run_artifact,
                artifact=artifact,
                batches=self.batches(),
                outputs=self.folder(name),
                measure_latency=artifact.format is Format.TFLITE and name not in FLOAT_ARTIFACTS,
            )

    def folder(self, name: str) -> Path:
        """Where the outputs of the latest artifact of that name lie; PyTorch's are no artifact's."""
        artifact = self._artifacts.get(name)
        return self.outputs / (f"{name}-{artifact.sha256[:16]}" if artifact is not None else name)

    def wait(self) -> dict[str, RunRecord]:
        """All records by artifact name, once everything has run; raises what a run raised.

        The float file's latency is measured last, when nothing else computes.
        """
        records = {name: self._running[artifact.sha256].result().value for name, artifact in self._artifacts.items()}
        for name, artifact in self._artifacts.items():
            if artifact.format is Format.TFLITE and records[name].latency_ms is None:
                worker = self.hosts.worker(_HOST_OF[artifact.format])
                latency = worker.run(measure_artifact, artifact=artifact, batches=self.batches()).value
                records[name] = replace(records[name], latency_ms=latency)
        return records

    def wait_for_floats(self) -> None:
        """Return once every float artifact that is queued has run; raises what a run raised."""
        for name in FLOAT_ARTIFACTS & self._artifacts.keys():
            self._running[self._artifacts[name].sha256].result()

    def forget(self, but: str) -> None:
        """What is queued, ``but`` for one name, is not wanted any more: its rung of the ladder was left."""
        self._waiting.clear()
        for name, artifact in list(self._artifacts.items()):
            future = self._running[artifact.sha256]
            if name != but and (not future.done() or future.exception() is not None):
                future.cancel()
                del self._running[artifact.sha256], self._artifacts[name]


@dataclass
class TorchReference:
    """PyTorch's own outputs: float32 to compare with, float64 on the first batches to measure the noise floor from.

    And its spread over threads and batch sizes, which the floor is not to be below.

    A program with float32 written into it (TorchScript, ``.pt2``) may not run in float64: the floor is then a bound.
    """

    hosts: Hosts
    source: ModelSource
    batches: Callable[[], Path]
    floor_batches: Callable[[], Path]
    outputs: Path
    _names: tuple[str, ...] = ()
    _running: dict[str, Future[JobOutcome[RunRecord]]] = field(default_factory=dict)
    _spread: Future[JobOutcome[tuple[Spread, ...]]] | None = None

    def started(self, stage: Stage) -> None:
        """Nothing to do: the reference follows the export."""

    def finished(self, step: Step, artifact: Artifact, report: StageReport, remaining: Sequence[Stage]) -> None:
        """After the export, whose output names it takes over; once, unless another exporter names them otherwise."""
        del report, remaining
        names = tuple(spec.name for spec in artifact.signature.outputs)
        if step.stage.host is not Host.TORCH or names == self._names:
            return
        self._names = names
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
        self._spread = self.hosts.worker(Host.TORCH).submit(
            measure_torch_spread,
            source=self.source,
            output_names=names,
            batches=self.batches(),
            outputs=self.outputs / "pytorch",
        )

    def spread(self) -> tuple[Spread, ...]:
        """Once it is measured; raises what PyTorch raised."""
        return self._spread.result().value if self._spread is not None else ()

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
