"""Up the ladder: one way after another to the float files, until one passes parity; the quantized ones on top.

The common case, in which the first way passes, loses nothing: the float edges are judged beside the quantized stages,
which end early, and for nothing, where the judgement is against their float file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

from convert.hosts import Hosts
from convert.judging import Judging
from convert.ladder import NEWER, OLDER, ONNX2TF, Ladder, Way, on_the_way, ways
from convert.parity import FLOAT_ARTIFACTS, ArtifactRuns, TorchReference
from convert.pipeline import Observer, PipelineResult, Step, run_steps
from convert.progress import Progress
from convert.stages.base import Host, Stage
from convert.start import Start
from convert.workspace import Climbed, Workspace, stage_key
from verify.artifact import Artifact
from verify.errors import ContractBroken, ConversionError, InputError, ModelUnreadable, ToolError, WorkerDied
from verify.report.types import EdgeReport, Refusal, Rung, RungOutcome, StageReport, Verdict
from verify.report.words import way as way_in_words

LATER_RUNG_SECONDS = 900.0
"""No job of onnx2tf may take longer, once another way was tried: it is known to hang."""


@dataclass(frozen=True)
class Top:
    """The rung that is published: what was made on it, its float edges, and all rungs that were tried."""

    result: PipelineResult
    float_edges: tuple[EdgeReport, ...]
    rungs: tuple[Rung, ...]
    climbed: Climbed
    refusals: tuple[Refusal, ...] = ()


@dataclass
class Climb:
    """Tries the ways that ``stages`` leave open. ``steps`` makes a pipeline of the stages of one way."""

    start: Start
    stages: tuple[Stage, ...]
    steps: Callable[[Sequence[Stage]], list[Step]]
    hosts: Hosts
    workspace: Workspace
    progress: Progress
    runs: ArtifactRuns
    reference: TorchReference | None
    judging: Callable[[], Judging]
    first: Observer
    """Told before the samples are fed to anything."""
    observers: tuple[Observer, ...] = ()
    _refusals: tuple[Refusal, ...] = ()

    def to_the_top(self) -> Top:
        """The first rung whose float files agree; else the first that converted at all.

        Raises:
            ToolError: of the first way, where none converts, its context naming why not the others; bad input, a
                machine that cannot even try, and what befalls the quantized files of a rung that agrees, at once.
        """
        key = self._key()
        earlier = self.workspace.climbed(key) or Climbed()
        ladder = Ladder.remembering(ways(self.stages), earlier.rungs, fell_back=earlier.fell_back)
        converted: Way | None = None
        first_error: ToolError | None = None
        while (way := ladder.next()) is not None:
            alone = converted is None and ladder.is_last(way)
            attempt = self._try(way, ladder, to_the_end=alone)
            if attempt.error is None and (alone or not attempt.disagreement):
                return self._top(attempt, ladder, key)
            if attempt.disagreement:
                converted = converted or attempt.way
            elif attempt.error is not None:
                later = first_error is not None or converted is not None
                if attempt.floats_agree or not _may_be_the_ways_own(attempt.error, later=later):
                    raise attempt.error
                first_error = first_error or attempt.error
            self._leave(attempt, ladder)
        if converted is None:
            assert first_error is not None
            raise _with_the_others(first_error, ladder)
        attempt = self._try(converted, ladder, to_the_end=True)
        if attempt.error is not None:
            raise attempt.error
        return self._top(attempt, ladder, key)

    def _top(self, attempt: _Attempt, ladder: Ladder, key: str) -> Top:
        rungs = ladder.used(attempt.way, attempt.disagreement)
        climbed = Climbed(key, rungs, ladder.fell_back)
        return Top(attempt.result, attempt.float_edges, rungs, climbed, self._refusals)

    def _try(self, way: Way, ladder: Ladder, *, to_the_end: bool) -> _Attempt:
        """Everything on one way; unless ``to_the_end``, no further than to float files that do not agree."""
        if way.lowering == ONNX2TF and ladder.rungs:
            self.hosts.limit_seconds(LATER_RUNG_SECONDS)
            self.hosts.close(Host.TENSORFLOW)
        result = PipelineResult({self.start.name: self.start.artifact})
        error: ToolError | None = None
        edges: tuple[EdgeReport, ...] = ()
        with _FloatJudge(lambda: self._judge(result), may_leave=not to_the_end) as judge:
            observers: list[Observer] = [self.progress, self.first, self.runs]
            observers += [self.reference] if self.reference is not None else []
            steps = self.steps(on_the_way(self.stages, way, fell_back=ladder.fell_back))
            try:
                run_steps(steps, result, self.hosts, self.workspace, [*observers, *self.observers, judge])
                self.progress.say("Comparing every edge")
            except ToolError as raised:
                error = raised
            try:
                edges = judge.edges()
            except ToolError as raised:  # what runs a float file says more than what a quantizer says of it
                error = self._as_ours(raised)
        return _Attempt(_actual(way, result, ladder), result, edges, error)

    def _judge(self, result: PipelineResult) -> tuple[EdgeReport, ...]:
        if self.reference is not None:
            self._refusals = self.reference.wait()
        self.runs.wait_for_floats()
        return self.judging().float_edges(result)

    def _as_ours(self, error: ToolError) -> ToolError:
        """A file that was made here and cannot be run is no bad input, unless it may be the one that was given."""
        if isinstance(error, ModelUnreadable) and self.start.source is not None:
            return ContractBroken(error.what, fix=error.fix, context=error.context)
        return error

    def _leave(self, attempt: _Attempt, ladder: Ladder) -> None:
        way, result = attempt.way, attempt.result
        if attempt.disagreement:
            ladder.leave(way, RungOutcome.PARITY, attempt.disagreement)
        elif attempt.error is not None:
            ladder.leave(way, RungOutcome.FAILED, attempt.error.what)
        if attempt.exported_wrong or (way.exporter and "onnx" not in result.made):
            ladder.leave_exporter(way.exporter)
        if isinstance(attempt.error, ConversionError) and way.exporter == NEWER and "onnx" not in result.made:
            ladder.leave_exporter(OLDER)  # the export stage has tried it, or knows that its trace would be wrong
        self.runs.forget(but=self.start.name)
        self.hosts.replace_dead()
        self.workspace.set_aside(result.made.values())
        following = ladder.next()
        if following is None and not attempt.disagreement and len(ladder.rungs) == 1:
            return  # the error that follows says it
        reason = attempt.disagreement or (attempt.error.what if attempt.error is not None else "")
        self.progress.note(f"{way.phrase}: {reason}" + (f"; next: {following.phrase}" if following else ""))

    def _key(self) -> str:
        """Of everything that decides the rung but the samples: on others it holds until parity says otherwise."""
        floats = [stage for stage in self.stages if stage.artifact_name in FLOAT_ARTIFACTS]
        keys = [stage_key(stage, self.start.artifact.sha256) for stage in floats]
        return hashlib.sha256(json.dumps(keys).encode()).hexdigest()


@dataclass(frozen=True)
class _Attempt:
    """How far one way led. The ``error`` of a pipeline that was ended for a disagreement is that it was left."""

    way: Way
    result: PipelineResult
    float_edges: tuple[EdgeReport, ...]
    error: ToolError | None

    @property
    def disagreement(self) -> str:
        return _disagreement(self.float_edges)

    @property
    def floats_agree(self) -> bool:
        return bool(self.float_edges) and not self.disagreement

    @property
    def exported_wrong(self) -> bool:
        """No lowering mends an ONNX file that does not agree."""
        return any(edge.actual == "onnx" and edge.verdict is Verdict.FAIL for edge in self.float_edges)


@dataclass
class _FloatJudge:
    """Judges the float edges in a thread once they can be, and ends the pipeline where it is for nothing."""

    judge: Callable[[], tuple[EdgeReport, ...]]
    may_leave: bool
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "judge"))
    _edges: Future[tuple[EdgeReport, ...]] | None = None

    def edges(self) -> tuple[EdgeReport, ...]:
        """Once they are judged; none where no float file was made. Raises what running the files raised."""
        return self._edges.result() if self._edges is not None else ()

    def started(self, stage: Stage) -> None:
        """Raises where the next stage would be for nothing."""
        if not self.may_leave or self._edges is None or not self._edges.done():
            return
        disagreement = _disagreement(self.edges())
        if disagreement:
            raise ConversionError(f"{stage.name} was not made: {disagreement}")

    def finished(self, step: Step, artifact: Artifact, report: StageReport, remaining: Sequence[Stage]) -> None:
        """Begin, when the last float stage has ended."""
        del artifact, report
        made, coming = step.stage.artifact_name, (stage.artifact_name for stage in remaining)
        if made in FLOAT_ARTIFACTS and FLOAT_ARTIFACTS.isdisjoint(coming):
            self._edges = self._thread.submit(self.judge)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=False)


def _actual(way: Way, result: PipelineResult, ladder: Ladder) -> Way:
    """The way that was taken: the export stage falls back to the older exporter by itself."""
    onnx = result.made.get("onnx")
    if onnx is None or onnx.way != OLDER or way.exporter != NEWER:
        return way
    reasons = (refusal.reason for refusal in onnx.refusals if refusal.stage == "export")
    return ladder.fall_back(way, next(reasons, "it does not take this kind of checkpoint"))


def _disagreement(edges: Sequence[EdgeReport]) -> str:
    """Of the first edge that fails: ``saved_model is not onnx: logits over tolerance, 5.4 dB``."""
    edge = next((edge for edge in edges if edge.verdict is Verdict.FAIL), None)
    if edge is None:
        return ""
    output = next(output for output in edge.outputs if output.verdict is Verdict.FAIL)
    measured = f", {output.sqnr_db:.1f} dB" if output.sqnr_db is not None else ""
    return f"{edge.actual} does not agree with {edge.expected}: {output.name} {output.failure}{measured}"


def _may_be_the_ways_own(error: ToolError, *, later: bool) -> bool:
    """Whether another way may do better: after a crash, and where the machine was at fault on a ``later`` way only."""
    if isinstance(error, InputError):
        return False
    return later or isinstance(error, ConversionError | WorkerDied)


def _with_the_others(error: ToolError, ladder: Ladder) -> ToolError:
    others = [rung for rung in ladder.rungs if rung.reason != error.what]
    if others:
        error.fix = f"none of {len(ladder.rungs)} ways converts it: rewrite what they stop at, or report the model"
    return error.within(*(f"{way_in_words(rung.exporter, rung.lowering)}: {rung.reason}" for rung in others))
