"""Runs stages one after another and checks, around each, what it requires and ensures.

Stages know nothing of parity, timing or progress: those hang on the observers, which are called after each stage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from convert.hosts import Hosts
from convert.stages.base import Stage, run_stage
from convert.workspace import Made, Workspace, stage_key
from verify.artifact import Artifact, Format
from verify.errors import ContractBroken, ToolError
from verify.report.types import Refusal, StageReport
from verify.signature import BATCH, Signature


@dataclass(frozen=True)
class Step:
    """A stage and the name of the artifact it starts from. ``inputs``, when asked, hashes what else it reads."""

    stage: Stage
    source: str
    inputs: Callable[[], tuple[str, ...]] = tuple


class Observer(Protocol):
    """Told of every stage as it starts and ends; ``remaining`` are the stages still to run, in order."""

    def started(self, stage: Stage) -> None: ...

    def finished(self, step: Step, artifact: Artifact, report: StageReport, remaining: Sequence[Stage]) -> None: ...


@dataclass
class PipelineResult:
    """What a pipeline made: artifacts by name (the starting one included), and how."""

    artifacts: dict[str, Artifact]
    stages: list[StageReport] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    made: dict[str, Made] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    """The artifact each one was made from, in the order they were made."""


def run_steps(
    steps: Sequence[Step],
    result: PipelineResult,
    hosts: Hosts,
    workspace: Workspace,
    observers: Sequence[Observer],
) -> None:
    """Run every step, reusing what an earlier run made from the same inputs, options and versions.

    ``result`` holds the starting artifact and takes what is made, as far as it gets.

    Raises:
        ToolError: as the stage raised it, its context naming the stage, its input and what had succeeded; or as an
            observer raised it, which ends the pipeline.
    """
    for position, step in enumerate(steps):
        source = result.artifacts[step.source]
        for observer in observers:
            observer.started(step.stage)
        try:
            made, reused = _make(step, source, hosts, workspace)
        except ToolError as error:
            raise error.within(
                f"stage: {step.stage.name} ({step.stage.title})",
                f"input: {source.path.name}",
                f"succeeded before it: {', '.join(report.name for report in result.stages) or 'nothing'}",
            ) from None
        report = StageReport(
            name=step.stage.name,
            title=step.stage.title,
            seconds=0.0 if reused else made.seconds,
            peak_memory_bytes=made.peak_memory_bytes,
            reused=reused,
            notes=made.notes,
        )
        artifact = replace(made.artifact, path=workspace.staging / made.artifact.path)
        result.artifacts[step.stage.artifact_name] = artifact
        result.made[step.stage.artifact_name] = made
        result.parents[step.stage.artifact_name] = step.source
        result.stages.append(report)
        result.refusals.extend(made.refusals)
        remaining = [later.stage for later in steps[position + 1 :]]
        for observer in observers:
            observer.finished(step, artifact, report, remaining)


def _make(step: Step, source: Artifact, hosts: Hosts, workspace: Workspace) -> tuple[Made, bool]:
    """What the step makes, and whether an earlier run had made it already."""
    stage = step.stage
    check_requires(stage, source)
    key = stage_key(stage, source.sha256, step.inputs())
    aside = workspace.made_aside(key)
    if aside is not None:
        return aside, False
    reusable = workspace.reusable(stage, key)
    if reusable is not None:
        return reusable, True
    before = set(workspace.staging.iterdir())
    out = workspace.path_for(stage)
    outcome = hosts.worker(stage.host).run(run_stage, stage=stage.to_json(), artifact=source, out=out)
    artifact = outcome.value.artifact
    check_ensures(stage, source, artifact)
    axes = artifact.signature.axes or source.signature.axes
    artifact = replace(artifact, signature=replace(artifact.signature, axes=axes))
    written = {path.name for path in set(workspace.staging.iterdir()) - before}
    made = Made(
        key=key,
        artifact=replace(artifact, path=Path(out.name)),
        source_sha256=source.sha256,
        companions=tuple(sorted(written - {out.name})),
        notes=outcome.value.notes,
        refusals=outcome.value.refusals,
        way=outcome.value.way,
        seconds=outcome.seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
    )
    return made, False


def check_requires(stage: Stage, source: Artifact) -> None:
    """Raise ``ContractBroken`` unless the stage can take this artifact."""
    if source.format is not stage.consumes:
        raise ContractBroken(
            f"{stage.name} takes a {stage.consumes} artifact, but {source.path.name} is a {source.format} artifact",
            fix=f"start from a {stage.consumes} file, or use the command that begins at {source.format}",
        )


def check_ensures(stage: Stage, source: Artifact, made: Artifact) -> None:
    """Raise ``ContractBroken`` unless the artifact keeps the contracts: format, names, dynamic batch."""
    problems: list[str] = []
    if made.format is not stage.produces:
        problems.append(f"its format is {made.format}, not {stage.produces}")
    if not made.path.exists():
        problems.append(f"{made.path.name} was not written")
    problems += _name_problems(source.signature, made.signature, outputs_known=source.format is not Format.CHECKPOINT)
    problems += _batch_problems(source.signature, made.signature)
    if problems:
        raise ContractBroken(
            f"what {stage.name} made breaks its contract: {'; '.join(problems)}",
            fix="this is a fault of the tool; please report it with run.log",
        )


def _name_problems(source: Signature, made: Signature, *, outputs_known: bool) -> list[str]:
    problems = []
    sides = [("input", source.inputs, made.inputs)]
    if outputs_known:
        sides.append(("output", source.outputs, made.outputs))
    for side, before, after in sides:
        was, now = {spec.name for spec in before}, {spec.name for spec in after}
        if was != now:
            problems.append(f"{side}s were named {sorted(was)} and are now {sorted(now)}")
    return problems


def _batch_problems(source: Signature, made: Signature) -> list[str]:
    dynamic_before = {spec.name for spec in (*source.inputs, *source.outputs) if BATCH in spec.shape}
    return [
        f"the batch axis of {spec.name} is frozen: {list(spec.shape)}"
        for spec in (*made.inputs, *made.outputs)
        if spec.name in dynamic_before and BATCH not in spec.shape
    ]
