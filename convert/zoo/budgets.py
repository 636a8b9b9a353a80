"""From a report and declared budgets to outcomes: of each file that was asked for, and of the job."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from convert.zoo.job import Budgets, Target
from convert.zoo.result import Outcome, TargetResult
from verify.report.types import ArtifactReport, EdgeKind, EdgeReport, Report, Verdict

_WORST_FIRST = (Outcome.PARITY, Outcome.BUDGET, Outcome.INCONCLUSIVE, Outcome.OK)


@dataclass(frozen=True)
class Finding:
    """Something that keeps a file from being ok; ``why`` is a sentence with the number that decided."""

    target: str
    outcome: Outcome
    why: str
    in_report: bool
    """Whether the report's own verdict counts it: sizes and top-1 budgets are the zoo's alone."""


def findings(report: Report, budgets: Budgets) -> tuple[Finding, ...]:
    """Everything that is wrong with any file that was made, asked for or not, in the order of the files."""
    return tuple(finding for artifact in report.artifacts for finding in _of_file(report, artifact, budgets))


def worst(found: Sequence[Finding]) -> Finding | None:
    """The finding that decides: parity before budget before inconclusive; of equals the last, against the origin."""
    return min(reversed(found), key=lambda finding: _WORST_FIRST.index(finding.outcome), default=None)


def target_results(report: Report, targets: Collection[Target], found: Sequence[Finding]) -> tuple[TargetResult, ...]:
    """The files that were asked for, in the order they were made."""
    return tuple(
        _target_result(report, artifact, [each for each in found if each.target == artifact.name])
        for artifact in report.artifacts
        if artifact.name in targets
    )


def headline(report: Report, found: Sequence[Finding]) -> str:
    """The report's, and what the zoo's own budgets add to it."""
    added = " ".join(finding.why for finding in found if not finding.in_report)
    if not added:
        return report.headline
    return f"Do not ship: {added}" if report.verdict is Verdict.PASS else f"{report.headline} {added}"


def _of_file(report: Report, artifact: ArtifactReport, budgets: Budgets) -> Iterator[Finding]:
    for edge in report.edges:
        if edge.actual == artifact.name and edge.verdict is not Verdict.PASS:
            yield Finding(artifact.name, _edge_outcome(edge), _edge_sentence(artifact, edge), in_report=True)
    target = Target(artifact.name)
    most = budgets.max_size_bytes.get(target)
    if most is not None and artifact.size_bytes > most:
        why = f"{artifact.file} has {artifact.size_bytes:,} bytes; at most {most:,} are allowed."
        yield Finding(artifact.name, Outcome.BUDGET, why, in_report=False)
    least = budgets.min_top1_agreement.get(target)
    if least is not None:
        yield from _of_top1(artifact, _from_origin(report, artifact), least)


def _of_top1(artifact: ArtifactReport, edge: EdgeReport | None, least: float) -> Iterator[Finding]:
    agreement = edge.top1_agreement if edge is not None else None
    if agreement is None:
        why = f"{artifact.file} has no top-1 agreement, of which {least:.1%} are required: no output holds classes."
        yield Finding(artifact.name, Outcome.INCONCLUSIVE, why, in_report=False)
    elif agreement < least:
        why = f"{artifact.file} agrees on {agreement:.1%} of top-1 classes; at least {least:.1%} are required."
        yield Finding(artifact.name, Outcome.BUDGET, why, in_report=False)


def _edge_outcome(edge: EdgeReport) -> Outcome:
    if edge.verdict is Verdict.INCONCLUSIVE:
        return Outcome.INCONCLUSIVE
    return Outcome.PARITY if edge.kind is EdgeKind.FLOAT else Outcome.BUDGET


def _edge_sentence(artifact: ArtifactReport, edge: EdgeReport) -> str:
    """``net_int8.tflite against pytorch, logits: below budget: 9.1 dB SQNR over 80 values …``."""
    deciding = next((output for output in edge.outputs if output.verdict is edge.verdict), None)
    told = f", {deciding.name}: {deciding.explanation}" if deciding is not None else ": nothing could be compared."
    return f"{artifact.file} against {edge.expected}{told}"


def _from_origin(report: Report, artifact: ArtifactReport) -> EdgeReport | None:
    """The edge from the model that the run started from, which nothing in the run made."""
    made = {each.name for each in report.artifacts}
    return next((e for e in report.edges if e.actual == artifact.name and e.expected not in made), None)


def _target_result(report: Report, artifact: ArtifactReport, found: Sequence[Finding]) -> TargetResult:
    deciding = worst(found)
    edge = _from_origin(report, artifact)
    measured = [output.sqnr_db for output in edge.outputs if output.sqnr_db is not None] if edge is not None else []
    return TargetResult(
        name=artifact.name,
        file=artifact.file,
        size_bytes=artifact.size_bytes,
        outcome=deciding.outcome if deciding is not None else Outcome.OK,
        why=deciding.why if deciding is not None else "",
        sqnr_db=min(measured, default=None),
        top1_agreement=edge.top1_agreement if edge is not None else None,
        latency_ms=artifact.latency_ms,
        float_ops=sum(count for _, count in artifact.float_op_counts),
    )
