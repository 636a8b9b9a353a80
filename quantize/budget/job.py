"""What a worker runs: an int8 recipe and samples that judge → the file that keeps a budget, and what was tried."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from quantize.budget.candidates import Candidates
from quantize.budget.cost import ONE_AT_A_TIME, Costs
from quantize.budget.evaluation import Evaluation, probes_of
from quantize.budget.frontier import MOST_TIMED, latencies_ms, on_frontier
from quantize.budget.goal import Budget, requirements, samples_needed
from quantize.budget.graph import op_graph
from quantize.budget.judge import Judge, judge_of
from quantize.budget.metric import AGREEMENT, measure_for
from quantize.budget.report import BudgetReport, FrontierPoint, LiftedOp
from quantize.budget.search import Found, Search
from quantize.budget.words import sentences
from quantize.correction.patches import prepared
from quantize.load_check import require_loadable
from quantize.operators import operators
from quantize.recipe import Recipe
from quantize.result import QuantizationResult
from quantize.rewritten import rewritten
from verify.errors import SamplesInvalid
from verify.modules import modules_beside
from verify.signature import Signature


def lift_within_budget(
    model: Path,
    out: Path,
    *,
    recipe: Recipe,
    calibration: Path,
    evaluation: Evaluation,
    signature: Signature,
    budget: Budget,
) -> QuantizationResult:
    """Job: make ``out``, the cheapest file that keeps the budget, or the closest to it; the result's ``budget`` says
    which, and what else was tried.

    ``recipe`` is that of the file with nothing lifted; samples are in PyTorch layout.
    """
    limits = requirements(budget)
    with (
        tempfile.TemporaryDirectory(dir=out.parent, prefix=".budget-") as folder,
        rewritten(model, recipe.activations) as same,
        prepared(same, recipe.corrections) as source,
    ):
        scratch = Path(folder)
        graph = op_graph(source, recipe)
        candidates, costs = Candidates(model, recipe, graph, scratch), Costs(graph)
        truth = None if evaluation.truth is None else np.load(evaluation.truth, allow_pickle=False)
        measure = measure_for(budget.metric, truth)
        judge = judge_of(model, signature, evaluation.folder, scratch / "expected", measure=measure, truth=truth)
        _require_known_classes(evaluation, judge)
        for limit in limits:
            limit.of(judge.perfect())
        probes = judge_of(model, signature, probes_of(calibration, scratch / "probes"), scratch / "expected_probes")
        found = Search(candidates, costs, judge, limits, budget.least_int8_macs).run(probes)
        result = candidates.make(out, found.best.lifted)
        report = _report(candidates, found, judge, budget, evaluation)
    require_loadable(out)
    return replace(result, notes=(*result.notes, *sentences(report)), budget=report)


def _require_known_classes(evaluation: Evaluation, judge: Judge) -> None:
    """Raises ``SamplesInvalid`` when folders of classes are not the model's."""
    if evaluation.named_classes is None or judge.measure is None or judge.classes == evaluation.named_classes:
        return
    raise SamplesInvalid(
        f"the samples are in {evaluation.named_classes} folders, and the model knows {judge.classes} classes, so that "
        "which is which is not known",
        fix="name each folder by its class's number, or give a .npz with an array 'truth'",
    )


def _report(candidates: Candidates, found: Found, judge: Judge, budget: Budget, evaluation: Evaluation) -> BudgetReport:
    limits = requirements(budget)
    frontier = on_frontier(found.points, limits[0])
    timed = sorted({found.points[0], *frontier[-MOST_TIMED:], found.best}, key=lambda point: point.cost)
    times = latencies_ms(candidates, timed)
    measured = dict(zip(timed, times[1:], strict=True))
    points = tuple(
        FrontierPoint(
            len(point.lifted),
            point.cost,
            point.int8_macs,
            point.size_bytes,
            found.noise.predicted_db(point.lifted) if found.noise.units else None,
            point.score,
            point.standing,
            on_frontier=point in frontier,
            chosen=point is found.best,
            latency_ms=measured[point][0] if point in measured else None,
            latency_to_float=measured[point][1] if point in measured else None,
        )
        for point in sorted(found.points, key=lambda point: point.cost)
    )
    return BudgetReport(
        budget=budget,
        standing=found.best.standing,
        metric=judge.measure.name if judge.measure else AGREEMENT,
        float_metric=judge.perfect().metric,
        samples=judge.count,
        samples_from=evaluation.description,
        lifted=_lifted(candidates, found),
        points=points,
        float_bytes=candidates.model.stat().st_size,
        float_ms=times[0][0],
        edges_db=found.noise.edges_db if found.noise.units else None,
        samples_needed=samples_needed(limits, judge.perfect(), judge.count),
    )


def _lifted(candidates: Candidates, found: Found) -> tuple[LiftedOp, ...]:
    """The noisiest first; then what is float only because that is faster."""
    graph = candidates.graph
    faster = Costs(graph).closed(())
    modules = {
        each.name: ", ".join(each.modules) for each in operators(candidates.model, modules_beside(candidates.model))
    }
    total = found.noise.noise or 1.0
    shares = {op: unit.noise / len(unit.ops) / total for unit in found.noise.units for op in unit.ops}

    def described(index: int) -> LiftedOp:
        op, share = graph.ops[index], shares.get(index, 0.0)
        if index in faster:
            why = "faster: XNNPACK has no int8 kernel for it" if op.kind in ONE_AT_A_TIME else "saves casts"
        else:
            why = f"{share:.1%} of the noise at the outputs" if index in shares else "saves casts"
        return LiftedOp(op.kind, op.name, modules.get(op.name, ""), share, index in shares and index not in faster, why)

    listed = map(described, sorted(found.best.lifted))
    return tuple(sorted(listed, key=lambda each: (not each.for_accuracy, -each.noise_share)))
