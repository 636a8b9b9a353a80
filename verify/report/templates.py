"""The Jinja environment of every page: everything escaped, nothing undefined, numbers as people read them."""

from __future__ import annotations

import datetime

import jinja2
from markupsafe import Markup

from verify.report import cards, words
from verify.report.snippet import photo_preprocessing
from verify.report.types import OutputComparison


def environment() -> jinja2.Environment:
    """Templates of this folder, with the filters of :mod:`verify.report.words`."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("verify.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        finalize=_visible,
    )
    made.filters |= {
        "bar": _bar,
        "dims": words.dims,
        "error": words.error,
        "joined": words.joined,
        "in_brief": _in_brief,
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
    return made


def _visible(value: object) -> object:
    """Control characters and right-to-left overrides spelled out: what a name looks like is what it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "\n".join(words.printable(line) for line in value.split("\n"))


def _bar(value: float, largest: float) -> str:
    """A bar's width in percent."""
    return f"{100 * value / largest:.1f}" if largest > 0 else "0"


def _sqnr(output: OutputComparison) -> str:
    return "identical" if output.identical else words.decibels(output.sqnr_db)


def _in_brief(text: str) -> str:
    """Without what is said in parentheses at its end."""
    return text.partition(" (")[0]


def _moment(iso: str) -> str:
    """``14 March 2026, 09:26 UTC``; the text itself where it is no ISO date."""
    try:
        when = datetime.datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when.day} {when:%B %Y, %H:%M} UTC"
