"""``report.html``: one self-contained page that answers whether the files can ship, and if not, why."""

from __future__ import annotations

import datetime
from pathlib import Path

import jinja2
from markupsafe import Markup

from verify.atomic import write_text
from verify.report import cards, chain, words
from verify.report.snippet import feeding_snippet, photo_preprocessing
from verify.report.types import OutputComparison, Report


def write_html(report: Report, path: Path) -> None:
    """Write the page, whole or not at all."""
    write_text(path, render_html(report))


def render_html(report: Report) -> str:
    """The page: no script, no request to anywhere, every string of the report escaped."""
    files = cards.ship_cards(report)
    return (
        _environment()
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
            most_memory=max((stage.peak_memory_bytes or 0 for stage in report.stages), default=0),
        )
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("verify.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        finalize=_visible,
    )
    environment.filters |= {
        "bar": _bar,
        "dims": words.dims,
        "error": words.error,
        "joined": words.joined,
        "layout": words.layout,
        "milliseconds": words.milliseconds,
        "moment": _moment,
        "op_counts": words.op_counts,
        "percent": words.percent,
        "photo": photo_preprocessing,
        "seconds": words.seconds,
        "share": words.share,
        "size": words.size,
        "times": words.times,
        "short": cards.short_title,
        "sqnr": _sqnr,
        "title": cards.title,
    }
    return environment


def _visible(value: object) -> object:
    """Control characters and right-to-left overrides spelled out: what a name looks like is what it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "\n".join(words.printable(line) for line in value.split("\n"))


def _batch_sizes(report: Report) -> tuple[str, ...]:
    return tuple(str(size) for size in sorted({size for edge in report.edges for size in edge.batch_sizes}))


def _bar(value: float, largest: float) -> str:
    """A bar's width in percent."""
    return f"{100 * value / largest:.1f}" if largest > 0 else "0"


def _sqnr(output: OutputComparison) -> str:
    return "identical" if output.identical else words.decibels(output.sqnr_db)


def _moment(iso: str) -> str:
    """``14 March 2026, 09:26 UTC``; the text itself where it is no ISO date."""
    try:
        when = datetime.datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when.day} {when:%B %Y, %H:%M} UTC"
