"""One faulty copy against the model that is trusted: does ``verify`` notice it?"""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from verify.artifact import Format
from verify.chain.judging import floors_of, judge_edges
from verify.chain.run import Chain, Ran, run_another
from verify.errors import ToolError
from verify.faults.effect import Allowed, Effect, measure_effect
from verify.faults.inject import Injected, inject
from verify.faults.result import TIGHT_DB, FaultResult, Outcome
from verify.report.types import EdgeKind, EdgeReport, Verdict
from verify.tolerance import FLOAT_MARGIN, OutputFloor


@dataclass(frozen=True)
class Ground:
    """What every faulty copy is judged on: a chain of the trusted model and the one that gets the faults."""

    chain: Chain
    floors: tuple[OutputFloor, ...]
    clean: EdgeReport
    seed: int

    @property
    def floors_follow_the_copy(self) -> bool:
        """Whether ``verify`` takes the noise floors from the judged model, the only one that is an ONNX graph."""
        first, judged = self.chain.models[0].member, self.actual.member
        only = judged.entry.format is Format.ONNX and first.entry.format is not Format.ONNX
        return only and first.header is None and first.source is None

    @property
    def actual(self) -> Ran:
        """The model that copies are made of."""
        return self.chain.models[-1]


def judge(chain: Chain, ran: Ran, floors: tuple[OutputFloor, ...]) -> EdgeReport:
    """A model against the first of a chain, as ``verify`` judges it."""
    (edge,) = judge_edges(replace(chain, models=(chain.models[0], ran)), floors)
    return edge


def try_fault(ground: Ground, kind: str) -> FaultResult:
    """Put the fault into a copy of the model, run it on the same samples and judge it."""
    folder = ground.chain.folder / "faults" / kind
    path = ground.actual.member.artifact.path
    worker = ground.chain.workers.of(Format.TFLITE)
    injected = worker.run(inject, kind=kind, path=path, folder=folder, seed=ground.seed).value
    if injected.path is None:
        return _result(injected, Outcome.NOT_APPLICABLE, injected.refusal)
    try:
        return _judged(ground, injected, injected.path, folder)
    finally:
        shutil.rmtree(folder)


def _judged(ground: Ground, injected: Injected, path: Path, folder: Path) -> FaultResult:
    try:
        ran = run_another(ground.chain, path, folder)
    except ToolError as error:
        evidence = f"{type(error).__name__}: {error.what}".splitlines()[0]
        return _result(injected, Outcome.DETECTED, evidence, ran=False, tight=True)
    edge = judge(ground.chain, ran, _floors(ground, ran))
    if edge.verdict is Verdict.FAIL:
        return _result(injected, Outcome.DETECTED, _evidence(edge), tight=True)
    effect = measure_effect(ground.actual.outputs, ran.outputs, _allowed(ground))
    return _missed(injected, ground.clean, edge, effect)


def _floors(ground: Ground, ran: Ran) -> tuple[OutputFloor, ...]:
    if not ground.floors_follow_the_copy:
        return ground.floors
    floors, _ = floors_of(replace(ground.chain, models=(ground.chain.models[0], ran)))
    return floors


def _allowed(ground: Ground) -> dict[str, Allowed]:
    """How far each output may move before a fault counts: the float bound, or the noise of its own quantization."""
    if ground.clean.kind is EdgeKind.FLOAT:
        return {it.name: Allowed(FLOAT_MARGIN * it.rms, FLOAT_MARGIN * it.max_abs) for it in ground.floors}
    return {output.name: Allowed(output.rms_error or 0.0) for output in ground.clean.outputs}


def _evidence(edge: EdgeReport) -> str:
    failed = next(output for output in edge.outputs if output.verdict is Verdict.FAIL)
    return f"{failed.name}: {failed.explanation}"


def _worst(edge: EdgeReport) -> str:
    """What was said of the output that is farthest off."""
    worst = min(edge.outputs, key=lambda output: math.inf if output.sqnr_db is None else output.sqnr_db)
    return f"{worst.name}: {worst.explanation}"


def _missed(injected: Injected, clean: EdgeReport, edge: EdgeReport, effect: Effect) -> FaultResult:
    if effect.beyond:
        evidence = f"judged {edge.verdict.value}, although {effect.phrase}: {_worst(edge)}"
        return _result(injected, Outcome.SLIPPED, evidence, tight=_worse(clean, edge))
    if effect.identical or clean.kind is EdgeKind.FLOAT:
        return _result(injected, Outcome.HARMLESS, effect.phrase)
    return _result(injected, Outcome.WITHIN_NOISE, f"{effect.phrase}: its quantization is as far off already")


def _worse(clean: EdgeReport, edge: EdgeReport) -> bool:
    """Whether some output's SQNR is more than ``TIGHT_DB`` below what the model itself reaches."""
    reached = {output.name: output for output in clean.outputs}
    for output in edge.outputs:
        was = reached[output.name].sqnr_db if output.name in reached else None
        if output.sqnr_db is not None and (was is None or output.sqnr_db < was - TIGHT_DB):
            return True
    return False


def _result(
    injected: Injected, outcome: Outcome, evidence: str, *, ran: bool = True, tight: bool = False
) -> FaultResult:
    return FaultResult(injected.kind, injected.title, outcome, evidence, injected.where, ran, tight)
