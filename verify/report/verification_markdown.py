"""``report.md``: what a verification found, for a comment on a pull request or a job's summary."""

from __future__ import annotations

from verify.report import cards, words
from verify.report.markdown import plain
from verify.report.verification import Drift, Localisation, Verification
from verify.report.verification_cards import (
    Finding,
    also_measured,
    beyond_outputs,
    drifts_to_tell,
    edge_name,
    findings,
    layer_name,
    layer_sqnr,
)

MAX_CHARACTERS = 60_000
"""GitHub refuses a comment above 65,536."""


def render_markdown(verification: Verification) -> str:
    """GitHub-flavoured Markdown; names stay text. Rows that would make it too long are left out, and it says so."""
    verdict = verification.verdict
    head = [f"### {cards.SYMBOLS[verdict]} {verdict.upper()}: {plain(verification.headline)}"]
    troubles = [
        f"- **{plain(it.artifact_name)}**, output {plain(it.output_name)}: {plain(it.failure)}. "
        f"{plain('; '.join(it.explanations))} (seen {plain(', '.join(map(edge_name, it.edges)))})"
        for it in cards.edge_troubles(verification.edges)
    ]
    troubles += [
        f"- **{plain(it.where)}**: {plain(it.failure)}. {plain(it.explanation)}" for it in beyond_outputs(verification)
    ]
    parts = [_culprit(where) for where in verification.localisations if where.culprit is not None]
    sections = (
        ("What is wrong", troubles),
        ("Where they part", parts),
        (_against(verification), [_drift(drift) for drift in drifts_to_tell(verification)]),
        ("Next", [f"- {plain(step)}" for step in verification.next_steps]),
        ("Also measured", _measured(verification)),
        ("Notes", [f"- {plain(note)}" for note in verification.notes]),
    )
    for heading, items in sections:
        if items:
            head += ["", f"**{heading}**", "", *_within(items, MAX_CHARACTERS // 6)]
    tail = ["", f"Judged by {plain(verification.samples)}."] if verification.samples else []
    room = MAX_CHARACTERS - sum(len(line) + 1 for line in (*head, *tail))
    return "\n".join([*head, *_table(verification, room), *tail]) + "\n"


def _measured(verification: Verification) -> list[str]:
    return [f"- {plain(edge_name(edge))}: {plain(said)}" for edge in verification.edges for said in also_measured(edge)]


def _against(verification: Verification) -> str:
    return f"Against {plain(verification.baseline.file)}" if verification.baseline else ""


def _drift(drift: Drift) -> str:
    where = f"{drift.expected} → {drift.actual}, output {drift.output}"
    return f"- {plain(where)}: **{plain(drift.standing)}**. {plain(drift.explanation)}"


def _table(verification: Verification, room: int) -> list[str]:
    lines = [
        "",
        "| edge | output | verdict | SQNR | largest error | of noise floor | judged against |",
        "|---|---|---|--:|--:|--:|---|",
    ]
    return [*lines, *_within([_row(finding) for finding in findings(verification)], room - 400)]


def _row(finding: Finding) -> str:
    output = finding.output
    numbers = (
        (cards.output_fidelity(output), words.error(output.max_abs_error), words.times(output.noise_floor_multiple))
        if output
        else (words.NOTHING,) * 3
    )
    mark = f"{cards.SYMBOLS[finding.verdict]} {finding.verdict}"
    cells = (finding.where, finding.what, mark, *numbers, finding.edge.budget if finding.edge else words.NOTHING)
    return f"| {' | '.join(map(plain, cells))} |"


def _culprit(where: Localisation) -> str:
    assert where.culprit is not None
    layer = where.culprit.layer
    reproducer = f" Reproducer: {plain(where.culprit.reproducer)}" if where.culprit.reproducer else ""
    return (
        f"- {plain(f'{where.expected} → {where.actual}')}: **{plain(layer_name(layer))}**, "
        f"{plain(layer_sqnr(layer.sqnr_db))} here. {plain(where.culprit.explanation)}{reproducer}"
    )


def _within(lines: list[str], room: int) -> list[str]:
    """The first lines that fit, and how many were left out."""
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return [*kept, "", f"… and {len(lines) - len(kept):,} more: see report.html"]
        kept.append(line)
    return kept
