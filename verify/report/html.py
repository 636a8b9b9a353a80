"""``report.html``: one self-contained page that answers whether the files can ship, and if not, why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from verify.atomic import write_text
from verify.report import cards, chain, words
from verify.report.inside import inside
from verify.report.snippet import feeding_snippet
from verify.report.templates import environment
from verify.report.types import EdgeReport, Report, Verdict


def write_html(report: Report, path: Path) -> None:
    """Write the page, whole or not at all."""
    write_text(path, render_html(report))


def render_html(report: Report) -> str:
    """The page: no script, no request to anywhere, every string of the report escaped."""
    files = cards.ship_cards(report)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            cards=files,
            troubles=cards.troubles(report),
            reference=cards.reference(report),
            symbols=cards.SYMBOLS,
            decisions=cards.DECISIONS,
            ways=cards.WAYS,
            way=words.way,
            lying=chain.draw_lying(report),
            upright=chain.draw_upright(report),
            batch_sizes=words.joined(_batch_sizes(report)),
            largest_size=max((card.artifact.size_bytes for card in files), default=0),
            longest_stage=max((stage.seconds for stage in report.stages), default=0),
            in_float=[card for card in files if card.artifact.float_op_counts],
            has_top1=any(card.edge is not None and card.edge.top1_agreement is not None for card in files),
            groups=cards.signature_groups(files),
            snippet=lambda artifact: feeding_snippet(artifact, report.model),
            said=_said(report),
            inside=inside(report.anatomy) if report.anatomy else None,
            most_memory=max((stage.peak_memory_bytes or 0 for stage in report.stages), default=0),
        )
    )


def _said(report: Report) -> list[tuple[str, tuple[str, ...]]]:
    """What each edge has to tell beside its numbers."""
    return [
        (f"{cards.short_title(edge.expected)} → {cards.short_title(edge.actual)}", told)
        for edge in report.edges
        if (told := (*_steps(edge), *_flips(edge), *edge.notes))
    ]


def _steps(edge: EdgeReport) -> Iterator[str]:
    """Errors in steps of the output's grid; what failed tells them above, as why it did."""
    for output in edge.outputs:
        if output.quantized and output.verdict is Verdict.PASS:
            yield f"{output.name}: {output.quantized.explanation}"


def _flips(edge: EdgeReport) -> Iterator[str]:
    if edge.top1 and edge.top1.agreeing < edge.top1.samples:
        yield edge.top1.explanation


def _batch_sizes(report: Report) -> tuple[str, ...]:
    return tuple(str(size) for size in sorted({size for edge in report.edges for size in edge.batch_sizes}))
