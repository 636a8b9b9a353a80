"""One run: a model, a tuple of stages, and what comes of it, from the first worker to the published folder.

The heavy processes overlap where memory allows: TensorFlow is imported while torch exports, PyTorch gives its reference
outputs while TensorFlow lowers, the SavedModel is judged while LiteRT quantizes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from convert.climb import Climb, Top
from convert.feeding import MoreBatches, PreparedSamples, content_sha256, plan_samples, prepare_samples
from convert.floors import NoiseFloors
from convert.given_samples import distilled, from_object, require_distillable
from convert.hosts import Hosts, WarmHosts
from convert.judging import Judging, describe_files
from convert.ladder import ways
from convert.memory import PeakMemory
from convert.parity import ArtifactRuns, TorchReference
from convert.pipeline import PipelineResult, Step
from convert.progress import Progress
from convert.settings import RunSettings
from convert.size_limit import require_weights_fit
from convert.stages.base import Host, Stage
from convert.stages.quantize import ToInt8
from convert.start import Start, open_start
from convert.verdict import headline, next_steps
from convert.workspace import REPORT_NAMES, Ledger, StageCache, Workspace, stage_key
from quantize.calibration.sources import SYNTHETIC
from verify.artifact import Artifact, Format, sha256_of
from verify.errors import InputError, ReportUnreadable
from verify.report.anatomy import Anatomy
from verify.report.anatomy_files import anatomy_path_beside, read_anatomy
from verify.report.html import write_html
from verify.report.json import read_json, write_json
from verify.report.types import SCHEMA_VERSION, Report, StageReport, worst_verdict
from verify.runners.record import RunRecord
from verify.samples import ArrayFile
from verify.signature_file import write_signatures
from verify.versions import versions
from verify.worker import JobOutcome

LARGE_WEIGHTS_BYTES = 200_000_000
"""From here on, processes take turns instead of overlapping: memory is dearer than seconds."""

_SOURCE_OF = {
    Format.CHECKPOINT: "pytorch",
    Format.ONNX: "onnx",
    Format.SAVED_MODEL: "saved_model",
    Format.TFLITE: "float32",
}


@dataclass(frozen=True)
class Outcome:
    """A finished run: its report and the published folder; ``reused`` when nothing had changed since an earlier one."""

    report: Report
    folder: Path
    reused: bool = False


def convert(
    model: Path,
    stages: Sequence[Stage],
    settings: RunSettings,
    progress: Progress,
    *,
    stem: str | None = None,
    warm: WarmHosts | None = None,
    cache: StageCache | None = None,
    calibration: Iterable[Any] | None = None,
) -> Outcome:
    """Run the stages on a model, verify every edge, and publish the output folder.

    ``stem`` is what the files are called before their suffix, as the model is if left out. ``warm`` saves the workers
    their imports; ``cache`` has what the same stages made of the same inputs elsewhere. ``calibration`` gives samples
    to calibrate on as a ``DataLoader`` does, in place of those that the settings name.

    Raises:
        ToolError: typed, with the stage it came from; the output folder is then as it was before.
    """
    require_distillable(settings, stages)
    if settings.calibration is None and calibration is None:
        stages = [stage for stage in stages if not isinstance(stage, ToInt8)]
    stem = stem or model.name.rstrip("/").split(".")[0] or model.name
    folder = (settings.output or Path.cwd() / stem).absolute()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"the output folder would be {folder.name}, which is a file", fix="name another with --output")
    sha256 = sha256_of(model)
    with Workspace(folder, stem, cache) as workspace:
        key = _run_key(sha256, stages, settings) if calibration is None else None
        earlier = _unchanged(workspace, key)
        if earlier is not None:
            progress.line("Nothing has changed", detail=f"{folder.name}/ is reused as it is")
            return Outcome(earlier, folder, reused=True)
        with Hosts(workspace.log_path, settings.limits, warm) as hosts, PeakMemory(hosts.started_pids) as memory:
            run = _Run(model, sha256, tuple(stages), settings, progress, workspace, hosts, memory, calibration)
            report, ledger = run.whole(key or "")
        progress.say("Publishing")
        workspace.publish(ledger, REPORT_NAMES)
    return Outcome(report, folder)


@dataclass
class _Run:
    model: Path
    sha256: str
    stages: tuple[Stage, ...]
    settings: RunSettings
    progress: Progress
    workspace: Workspace
    hosts: Hosts
    memory: PeakMemory
    calibration: Iterable[Any] | None

    @property
    def is_synthetic(self) -> bool:
        return self.calibration is None and self.settings.calibration == SYNTHETIC

    def whole(self, key: str) -> tuple[Report, Ledger]:
        started = time.monotonic()
        self.progress.say(f"Opening {self.model.name}")
        self.hosts.warm(*(dict.fromkeys(stage.host for stage in self.stages)))
        start = open_start(self.model, self.sha256, self.stages[0], self.hosts)
        require_weights_fit(start.weight_bytes, self.stages)
        self.progress.line("Opened", seconds=time.monotonic() - started, detail=_opened_as(start))
        for note in start.description.notes if start.description else ():
            self.progress.note(note)
        samples = self._start_samples(start)
        outputs = self.workspace.scratch / "outputs"
        runs = ArtifactRuns(self.hosts, lambda: samples.result().value.judging, outputs)
        batches = MoreBatches(self.hosts, start, lambda: samples.result().value)
        reference = None
        if start.source is not None:
            reference = TorchReference(
                self.hosts,
                start.source,
                lambda: samples.result().value.judging,
                lambda: samples.result().value.floor,
                outputs,
            )
        else:
            batches.add_mixed()
            runs.queue(start.name, start.artifact)
        floors = NoiseFloors(
            hosts=self.hosts,
            start=start,
            batches=lambda: samples.result().value.judging,
            outputs=runs.folder,
            spread=reference.spread if reference is not None else tuple,
            scratch=self.workspace.scratch / "float64_graph",
        )

        def judging() -> Judging:
            return Judging(self.hosts, start, batches.told(), self.settings, runs.folder, floors)

        top = Climb(
            start=start,
            stages=self.stages,
            steps=lambda stages: self._steps(stages, samples),
            hosts=self.hosts,
            workspace=self.workspace,
            progress=self.progress,
            runs=runs,
            reference=reference,
            judging=judging,
            first=batches,
            observers=(Frugality(self.hosts, large=start.weight_bytes > LARGE_WEIGHTS_BYTES),),
        ).to_the_top()
        records = runs.wait()
        report = self._report(judging(), top, records, started)
        self._write_reports(report, top.result)
        return report, Ledger(run_key=key, made=top.result.made, climbed=top.climbed)

    def _start_samples(self, start: Start) -> Future[JobOutcome[PreparedSamples]]:
        int8 = next((stage for stage in self.stages if isinstance(stage, ToInt8)), None)
        most = int8.max_samples if int8 else 0
        plan = plan_samples(self.settings, most, self._given_samples(start, most))
        return self.hosts.worker(Host.RUNTIME).submit(
            prepare_samples, inputs=start.inputs, plan=plan, folder=self.workspace.scratch / "samples"
        )

    def _given_samples(self, start: Start, most: int) -> ArrayFile | None:
        folder = self.workspace.scratch
        if self.calibration is not None:
            return from_object(self.calibration, start, folder, most + self.settings.max_judging)
        if self.is_synthetic:
            return distilled(start, self.hosts, self.settings, folder, self.progress)
        return None

    def _steps(self, stages: Sequence[Stage], samples: Future[JobOutcome[PreparedSamples]]) -> list[Step]:
        calibration = self.workspace.scratch / "samples" / "calibration"
        steps = []
        for stage in stages:
            source = _SOURCE_OF[stage.consumes]
            if isinstance(stage, ToInt8):
                stage = dataclasses.replace(stage, calibration=calibration, synthetic=self.is_synthetic)  # noqa: PLW2901
                steps.append(Step(stage, source, lambda: (samples.result().value.calibration_sha256,)))
            else:
                steps.append(Step(stage, source))
        return steps

    def _report(self, judging: Judging, top: Top, records: Mapping[str, RunRecord], started: float) -> Report:
        comparing = time.monotonic()
        start, result = judging.start, top.result
        edges = judging.edges(result, known=top.float_edges)
        files = describe_files(self.hosts, result, records, edges)
        self.progress.line("Parity of every edge", seconds=time.monotonic() - comparing, detail=f"{len(edges)} edges")
        names = {file.name: file.file for file in files}
        return Report(
            schema_version=SCHEMA_VERSION,
            verdict=worst_verdict(edge.verdict for edge in edges),
            headline=headline(
                names,
                edges,
                "PyTorch" if start.source else "the ONNX model",
                synthetic=self.is_synthetic,
            ),
            next_steps=tuple(
                next_steps(
                    names,
                    edges,
                    calibrated=self.calibration is not None or self.settings.calibration is not None,
                    ways=len(ways(self.stages)),
                    synthetic=self.is_synthetic,
                )
            ),
            command=self.settings.command,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            input_file=self.model.name,
            input_sha256=self.sha256,
            model=start.description,
            samples=judging.samples.description,
            stages=tuple(result.stages),
            artifacts=files,
            edges=edges,
            refusals=(*result.refusals, *top.refusals, *judging.samples.refusals, *judging.floors.refusals),
            total_seconds=time.monotonic() - started,
            peak_memory_bytes=self.memory.bytes or None,
            versions=versions(),
            rungs=top.rungs,
            anatomy=_anatomy(result),
        )

    def _write_reports(self, report: Report, result: PipelineResult) -> None:
        staging = self.workspace.staging
        made = tuple(result.artifacts[name] for name in result.made)
        write_signatures(staging, made)
        write_html(report, staging / "report.html")
        write_json(report, staging / "report.json")


@dataclass
class Frugality:
    """An observer that, for large models, ends a worker as soon as no later stage needs it."""

    hosts: Hosts
    large: bool

    def started(self, stage: Stage) -> None:
        """Nothing to do: memory is given back after stages."""

    def finished(self, step: Step, artifact: Artifact, report: StageReport, remaining: Sequence[Stage]) -> None:
        """Close what is no longer needed; its queued inference is finished first."""
        del step, artifact, report
        if not self.large:
            return
        needed = {stage.host for stage in remaining}
        for host in (Host.TORCH, Host.TENSORFLOW):
            if host not in needed:
                self.hosts.close(host)


def _anatomy(result: PipelineResult) -> Anatomy | None:
    """What the int8 stage, or an earlier run's, wrote beside its file; nothing if that is another release's."""
    made = result.artifacts.get(ToInt8.artifact_name)
    if made is None or not anatomy_path_beside(made.path).is_file():
        return None
    try:
        return read_anatomy(anatomy_path_beside(made.path))
    except ReportUnreadable:
        return None


def _run_key(sha256: str, stages: Sequence[Stage], settings: RunSettings) -> str | None:
    """The content address of a whole run; ``None`` when it reads what cannot be hashed."""
    samples = content_sha256(settings)
    if samples is None:
        return None
    parts = [stage_key(stage, sha256, (samples,)) for stage in stages]
    parts += [str(settings.seed), str(settings.max_judging), str(settings.int8_min_sqnr_db)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _unchanged(workspace: Workspace, key: str | None) -> Report | None:
    if key is None or workspace.earlier.run_key != key or not workspace.intact():
        return None
    return read_json(workspace.output / "report.json")


def _opened_as(start: Start) -> str:
    if start.description is None:
        return start.artifact.path.name
    inputs = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in start.description.inputs)
    return f"{start.description.architecture} ({start.description.recognised_by}); {inputs}"
