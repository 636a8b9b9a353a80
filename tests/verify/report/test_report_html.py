"""The page's text, without a browser: escaped, self-contained, complete."""

from __future__ import annotations

import dataclasses
import html
import re
from html.parser import HTMLParser

import pytest
from report_samples import FAILING_HEADLINE, HOSTILE, SAMPLES, failing, hostile, passing

from verify.report.html import render_html, write_html


class _Elements(HTMLParser):
    """Every element's tag and attributes, as a browser would parse them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_refers_to_nothing_outside_itself(name):
    page = render_html(SAMPLES[name]())
    elements = _Elements(page)
    assert elements.tags.isdisjoint({"script", "iframe", "object", "embed", "base", "form", "img"})
    references = {
        value for name, value in elements.attributes if name in ("src", "href", "xlink:href", "action", "data")
    }
    assert references == {"data:,"}
    assert not re.search(r"@import|url\((?!#)", page)


def test_hostile_names_stay_text():
    page = render_html(hostile())
    elements = _Elements(page)
    assert not [name for name, _ in elements.attributes if name.startswith("on")]
    assert "script" not in elements.tags
    assert HOSTILE not in page
    assert html.escape("<script>document.title=", quote=False) in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_every_file_every_edge_and_every_refusal_is_on_the_page():
    report = failing()
    page = html.unescape(render_html(report))
    assert FAILING_HEADLINE in page
    assert report.command in page
    for made in report.artifacts:
        assert made.file in page
        assert made.sha256 in page
    for edge in report.edges:
        assert edge.budget in page
    for refusal in report.refusals:
        assert refusal.subject in page
        assert refusal.reason in page
    for name, version in report.versions:
        assert f"{name} {version}" in page


def test_the_way_taken_is_there_with_why_the_earlier_ones_were_left():
    page = html.unescape(render_html(failing()))
    section = page[page.index("The way taken") : page.index("What was not done")]
    assert "older exporter, onnx2tf lowering</strong>: taken" in section
    for rung in failing().rungs:
        assert rung.reason in section
    assert "The way taken" not in render_html(dataclasses.replace(failing(), rungs=()))


def test_bit_identical_is_said_in_words():
    row = re.search(r"SavedModel → float32.*?</tr>", render_html(passing()), re.DOTALL)
    assert row
    assert "identical" in row[0]


def test_top1_has_a_column_only_where_it_was_measured():
    report = passing()
    assert "Same top-1" in render_html(report)
    edges = tuple(dataclasses.replace(edge, top1_agreement=None) for edge in report.edges)
    assert "Same top-1" not in render_html(dataclasses.replace(report, edges=edges))


def test_the_page_is_written_whole(tmp_path):
    write_html(passing(), tmp_path / "deep" / "report.html")
    assert (tmp_path / "deep" / "report.html").read_text(encoding="utf-8") == render_html(passing())
