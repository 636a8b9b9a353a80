"""``zoo.html``: one self-contained page that says whether the zoo can ship, and lets a person find out why not.

Everything but the plots is there without its script; the script sorts, filters, opens rows and draws.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import importlib.resources
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from convert.zoo.summary import cells
from convert.zoo.summary.attention import groups
from convert.zoo.summary.diff import ZooDiff, describe, describe_latency, describe_tolerance, summarise
from convert.zoo.summary.page_data import page_data
from convert.zoo.summary.standing import exit_code, label
from convert.zoo.summary.types import Standing, ZooReport, ZooRow
from verify.report import words
from verify.report.cards import SYMBOLS
from verify.report.types import Verdict

_DECISIONS = {
    Verdict.PASS: "The zoo can ship",
    Verdict.FAIL: "Do not ship the zoo",
    Verdict.INCONCLUSIVE: "Cannot tell yet",
}
_CLASSES = {
    Standing.PASS: "pass",
    Standing.KNOWN: "known",
    Standing.FAIL: "fail",
    Standing.EXPIRED: "fail",
    Standing.UNEXPECTED_PASS: "fail",
    Standing.NOT_RUN: "inconclusive",
}
_TINTS = {"fail": "bad", "inconclusive": "undecided"}
_SCRIPTS = ("elements.js", "plots.js", "zoo.js")


def render_html(report: ZooReport, changes: ZooDiff | None = None) -> str:
    """The page: no request to anywhere, every string of the report escaped, its one script named by hash in its CSP."""
    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _environment()
        .get_template("zoo.html.j2")
        .render(
            report=report,
            changes=changes,
            verdict=cells.verdict(exit_code(report.rows)),
            symbols=SYMBOLS,
            decisions=_DECISIONS,
            counts=cells.counts(report.rows),
            groups=groups(report.rows),
            job_seconds=sum(row.result.seconds for row in report.rows if row.result),
            data=Markup(page_data(report)),  # noqa: S704 - JSON without a single "<"
            script=Markup(script),  # noqa: S704 - our own files
            script_hash=digest,
        )
    )


def _script() -> str:
    package = importlib.resources.files("convert.zoo.summary")
    return "".join(package.joinpath(name).read_text(encoding="utf-8") for name in _SCRIPTS)


def _environment() -> jinja2.Environment:
    loaders = [jinja2.PackageLoader("convert.zoo.summary", ""), jinja2.PackageLoader("verify.report", "")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters |= {
        "cells": lambda row: [cells.target_cells(target) for target in cells.targets(row)],
        "class": lambda standing: _CLASSES[standing],
        "describe": describe,
        "duration": cells.duration,
        "label": label,
        "latency": describe_latency,
        "moment": _moment,
        "plural": words.count,
        "query": lambda text: quote(text, safe=""),
        "relative": _relative,
        "size": words.size,
        "standing": cells.standing_text,
        "summarise": summarise,
        "symbol": lambda standing: cells.SYMBOLS[standing],
        "tally": cells.tally,
        "tint": lambda standing: _TINTS.get(_CLASSES[standing], ""),
        "tolerance": describe_tolerance,
        "told": _told,
    }
    return environment


def _visible(value: object) -> object:
    """Control characters and right-to-left overrides spelled out: what a name looks like is what it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "\n".join(words.printable(line) for line in value.split("\n"))


def _relative(path: str, file: str = "") -> str:
    """A link below this page, whatever the path is made of."""
    return "./" + quote(f"{path}/{file}" if file else path)


def _told(row: ZooRow) -> str:
    """What stands below the standing of a row that is not a plain pass."""
    return "" if row.standing is Standing.PASS else row.why


def _moment(iso: str) -> str:
    """``14 March 2026, 09:26 UTC``; the text itself where it is no ISO date."""
    try:
        when = datetime.datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when.day} {when:%B %Y, %H:%M} UTC"
