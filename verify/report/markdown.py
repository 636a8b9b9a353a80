"""A few lines for a pull request: the verdict and a table of the files."""

from __future__ import annotations

import re

from verify.report import cards, words
from verify.report.types import Report


def render_markdown(report: Report) -> str:
    """GitHub-flavoured Markdown; whatever the model named its tensors stays text."""
    reference = cards.short_title(cards.reference(report))
    lines = [
        f"### {cards.SYMBOLS[report.verdict]} {report.verdict.upper()}: {plain(report.headline)}",
        "",
        f"| file | verdict | size | of float32 | SQNR vs {plain(reference)} | same top-1 | latency |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for card in cards.ship_cards(report):
        made = card.artifact
        verdict = f"{cards.SYMBOLS[made.verdict]} {made.verdict}" if made.verdict else "not judged"
        top1 = card.edge.top1_agreement if card.edge else None
        numbers = (words.size(made.size_bytes), words.share(card.relative_size), card.fidelity, words.percent(top1))
        cells = (plain(made.file), verdict, *map(plain, numbers), words.milliseconds(made.latency_ms))
        lines.append(f"| {' | '.join(cells)} |")
    troubles = [
        f"- **{plain(cards.title(it.artifact_name))}**, output {plain(it.output_name)}: {plain(it.failure)}. "
        f"{plain('; '.join(it.explanations))}"
        for it in cards.troubles(report)
    ]
    steps = [f"- {plain(step)}" for step in report.next_steps]
    for heading, items in (("What is wrong", troubles), ("Next", steps)):
        if items:
            lines += ["", f"**{heading}**", "", *items]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """One line with Markdown's and HTML's own characters escaped, and nobody mentioned."""
    escaped = re.sub(r"([\\`*_{}\[\]()#+!|~])", r"\\\1", words.printable(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
