"""The page's text, without a browser: escaped, self-contained, complete, and small enough to open at once."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from summary_samples import HOSTILE, SAMPLES, small, thirty, thousand

from convert.zoo.summary.diff import diff
from convert.zoo.summary.html import render_html
from verify.report import words


class _Elements(HTMLParser):
    """Every element's tag and attributes, and what the scripts hold, as a browser would parse them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data):
        if self.cdata_elem == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_refers_to_nothing_but_files_below_it(name):
    page = render_html(SAMPLES[name]())
    elements = _Elements(page)
    assert set(elements.tags).isdisjoint({"iframe", "object", "embed", "base", "img"})
    references = {value for key, value in elements.attributes if key in ("src", "href", "xlink:href", "action", "data")}
    assert all(value == "data:," or value.startswith(("./", "#")) for value in references)
    assert not re.search(r"@import|url\((?!#)", page)
    assert not [key for key, _ in elements.attributes if key.startswith("on") or key == "style"]


def test_only_the_pages_own_script_may_run():
    page = render_html(thirty())
    code = next(text for attributes, text in _Elements(page).scripts if "type" not in attributes)
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "unsafe-eval" not in page


def test_hostile_names_stay_text_in_the_page_and_in_its_data():
    page = render_html(thirty(), diff(thirty(seed=9), thirty()))
    elements = _Elements(page)
    assert len(elements.scripts) == 2
    assert HOSTILE not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    data = json.loads(next(text for attributes, text in elements.scripts if "type" in attributes))
    assert words.printable(f"hostile {HOSTILE}") in {row["id"] for row in data["rows"]}


def test_a_link_stays_below_the_page_whatever_a_folder_is_called():
    rows = (
        replace(small().rows[0], folder="javascript:alert(1)"),
        replace(small().rows[1], folder="//elsewhere.example/x", log='models/a b"c#d?e'),
    )
    page = render_html(replace(small(), rows=rows))
    assert 'href="./javascript%3Aalert%281%29/report.html"' in page
    assert 'href=".///elsewhere.example/x/report.html"' in page
    assert "javascript:alert" not in page


def test_without_its_script_the_page_still_has_every_row_and_every_reason():
    report = thirty()
    page = html.unescape(render_html(report))
    for row in report.rows:
        assert words.printable(row.id) in page
        if not row.standing.acceptable:
            assert words.printable(row.why) in page
        if row.folder and "<" not in row.id and row.id.isascii() and " " not in row.id and "=" not in row.id:
            assert f"./{row.folder}/report.html" in page
    assert report.headline in page


def test_the_page_says_that_latencies_were_measured_among_other_jobs():
    assert "measured while other jobs ran" in render_html(small())


def test_a_thousand_models_make_a_page_of_less_than_three_megabytes():
    assert len(render_html(thousand()).encode()) < 3_000_000


def test_a_zoo_without_models_has_a_page():
    page = render_html(replace(small(), rows=(), headline="Nothing was converted."))
    assert "Nothing was converted." in page
    assert "<script" not in page
