"""The whole verification after its edges were judged against a lock: verdict, headline and what to do next."""

from __future__ import annotations

from dataclasses import replace

from verify.chain.headline import headline
from verify.chain.verdict import worst
from verify.report import words
from verify.report.types import EdgeReport, OutputComparison, Verdict, worst_verdict
from verify.report.verification import Baseline, Drift, Standing, Verification

WORSE = "worse than recorded"
VANISHED = "recorded, not compared"
OTHER_SAMPLES = "recorded on other samples"
OF_THE_LOCK = {WORSE, VANISHED, OTHER_SAMPLES}
"""Failures that a lock file alone finds; no exception covers them: an update does."""


def summed_up(verification: Verification, edges: tuple[EdgeReport, ...], baseline: Baseline) -> Verification:
    """A verdict that the edges before did not account for is kept."""
    after = worst(edges)
    verdict = (
        after if verification.verdict is worst(verification.edges) else worst_verdict([verification.verdict, after])
    )
    told = verification.headline if edges == verification.edges else headline(verification.models, edges)
    exceptions = sum(drift.standing is Standing.ACCEPTED for drift in baseline.drifts)
    if exceptions and verdict is Verdict.PASS:
        told = f"{told.rstrip('.')}, but for {words.count(exceptions, 'accepted exception')}."
    return replace(
        verification,
        edges=edges,
        verdict=verdict,
        headline=told,
        baseline=baseline,
        next_steps=(*verification.next_steps, *_steps(edges, baseline)),
        notes=(*verification.notes, *baseline.notes),
    )


def _steps(edges: tuple[EdgeReport, ...], baseline: Baseline) -> list[str]:
    steps = [] if baseline.recorded else _about_the_lock(edges, baseline)
    expired = {_key(drift) for drift in baseline.drifts if drift.standing is Standing.EXPIRED}
    for edge in edges:
        for output in edge.outputs:
            known = output.failure in OF_THE_LOCK or (edge.expected, edge.actual, output.name) in expired
            if output.verdict is not Verdict.PASS and not known:
                return [*steps, _how_to_accept(edge, output, baseline.file)]
    return steps


def _key(drift: Drift) -> tuple[str, str, str]:
    return drift.expected, drift.actual, drift.output


def _about_the_lock(edges: tuple[EdgeReport, ...], baseline: Baseline) -> list[str]:
    steps = []
    better = sum(drift.standing is Standing.BETTER for drift in baseline.drifts)
    if better:
        told = f"{words.count(better, 'output')} drifted less than {baseline.file} records"
        steps.append(f"{told}: record that with --update-lock.")
    new = sum(drift.standing is Standing.NEW for drift in baseline.drifts)
    if new:
        steps.append(f"{words.count(new, 'output')} not yet in {baseline.file}: record with --update-lock.")
    if any(output.failure in OF_THE_LOCK for edge in edges for output in edge.outputs):
        steps.append(f"If the change is meant, record it with --update-lock and commit {baseline.file}.")
    return steps


def _how_to_accept(edge: EdgeReport, output: OutputComparison, file: str) -> str:
    return (
        f"To accept it for a while, add this to accepted in {file}: "
        f'{{"actual": "{edge.actual}", "output": "{output.name}", "failure": "{output.failure}", '
        '"reason": "…", "owner": "…", "expires": "YYYY-MM-DD"}.'
    )
