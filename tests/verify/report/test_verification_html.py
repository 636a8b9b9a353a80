"""A verification's page: self-contained, escaped, complete, and right in a real browser at three widths."""

from __future__ import annotations

import dataclasses
import html
import re

import pytest
from browser_pages import CONTRASTS, Visit, chromium
from report_samples import HOSTILE
from test_report_html import _Elements
from verification_samples import SAMPLES, layers

from verify.report import words
from verify.report.plot_axes import Axis, linear_axis
from verify.report.verification import Localisation
from verify.report.verification_html import render_html

_WIDTHS = (1280, 390, 320)
_FIRST_WORDS = {
    "pass": "✓ PASS · They agree: ready to ship",
    "quantized": "✓ PASS · They agree",
    "inconclusive": "? INCONCLUSIVE · Cannot tell yet",
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verifications")
    return {name: sample(folder / name) for name, sample in SAMPLES.items()}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_refers_to_nothing_outside_itself(samples, name):
    page = render_html(samples[name])
    elements = _Elements(page)
    assert elements.tags.isdisjoint({"script", "iframe", "object", "embed", "base", "form"})
    references = [value for key, value in elements.attributes if key in ("src", "href", "xlink:href", "action", "data")]
    assert {reference.split(",")[0] for reference in references} <= {"data:", "data:image/png;base64"}
    assert not re.search(r"@import|url\((?!#)", page)


def test_hostile_names_stay_text(samples):
    page = render_html(samples["hostile"])
    elements = _Elements(page)
    assert not [name for name, _ in elements.attributes if name.startswith("on")]
    assert "script" not in elements.tags
    assert HOSTILE not in page
    assert "\x1b" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize("name", ["fail", "quantized"])
def test_everything_that_was_found_is_on_the_page(samples, name):
    report = samples[name]
    page = html.unescape(render_html(report))
    assert report.headline in page
    assert report.command in page
    for model in report.models:
        assert model.sha256 in page
    for edge in report.edges:
        assert edge.budget in page
        assert edge.top1 is None or (edge.top1.explanation in page) is (edge.top1.agreeing < edge.top1.samples)
        assert edge.task is None or edge.task.explanation in page
        for output in edge.outputs:
            assert output.quantized is None or output.quantized.explanation in page
            assert not output.actual_nonfinite or output.actual_nonfinite.first in page
    for where in report.localisations:
        assert not where.culprit or where.culprit.explanation in page
        for layer in where.layers:
            assert layer.actual_tensor in page
    for drift in report.baseline.drifts if report.baseline else ():
        assert drift.explanation in page


def test_a_layer_that_is_identical_stands_above_all_others_and_one_that_is_not_finite_below(samples):
    path = (
        *layers(None)[:3],
        dataclasses.replace(layers(None)[3], sqnr_db=float("nan")),
        dataclasses.replace(layers(None)[4], sqnr_db=-3.0),
    )
    page = render_html(dataclasses.replace(samples["fail"], localisations=(Localisation("a", "b", path, None),)))
    lines = re.findall(r'<polyline class="sum" points="([^"]*)"', page)
    heights = [float(point.partition(",")[2]) for point in lines[0].split()]
    assert heights[0] == min(heights) < min(map(float, re.findall(r'class="grid" d="M52 ([\d.]+)', page)))
    assert heights[3] == max(heights) >= heights[4]
    assert "identical" in page
    assert "not finite" in page


def test_the_culprit_is_drawn_over_the_others(samples):
    page = render_html(samples["fail"])
    circles = re.findall(r'<circle class="(\w+)"', page)
    assert circles.count("culprit") == 2, "one a drawing"
    assert circles[len(circles) // 2 - 1] == circles[-1] == "culprit"


def test_axes_hold_their_values_and_their_ticks():
    for low, high in ((0.0, 0.0), (-1e-9, 1e-9), (5.0, 5.0), (-3.0, 1200.0), (1e20, 3e20)):
        axis = linear_axis(low, high, 10, 300)
        assert 10 <= axis.at(low) <= axis.at(high) <= 300
        assert all(10 <= tick.at <= 300 for tick in axis.ticks())
    assert [tick.label for tick in Axis(0, 10, 0, 100).ticks()] == ["0", "2", "4", "6", "8", "10"]
    assert Axis(0, 10, 0, 100).at(float("nan")) == 0
    assert Axis(0, 10, 0, 100).at(99) == 100


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def pages(samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, sample in samples.items():
        (folder / f"{name}.html").write_text(render_html(sample), encoding="utf-8")
    return folder


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_on_its_verdict_and_holds_its_width(browser, samples, pages, scheme):
    for name, sample in samples.items():
        path = pages / f"{name}.html"
        visit = Visit(browser, path, width=_WIDTHS[0], scheme=scheme)
        page = visit.page
        assert page.inner_text("body").startswith(_FIRST_WORDS.get(name, "✕ FAIL · They do not agree: do not ship"))
        assert page.inner_text("h1") == words.printable(sample.headline)
        page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true })")
        for width in _WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} scrolls at {width} px"
        assert page.evaluate(CONTRASTS) == [], "WCAG AA wants 4.5:1"
        assert visit.complaints == []
        assert [url for url in visit.requests if not url.startswith("data:")] == [path.as_uri()]
        assert page.title() != "pwned"
        page.close()


@pytest.mark.browser
def test_plots_are_drawn_and_only_the_waterfall_that_fits(browser, pages):
    page = Visit(browser, pages / "fail.html", width=1280, scheme="light").page
    assert page.locator(".descent .lying").is_visible()
    assert not page.locator(".descent .upright").is_visible()
    assert page.locator("svg .worst").count() >= 2
    image = page.locator("img.sample").first
    assert image.evaluate("(it) => it.naturalWidth") == 64
    page.set_viewport_size({"width": 390, "height": 900})
    assert page.locator(".descent .upright").is_visible()
    assert not page.locator(".descent .lying").is_visible()
    page.close()
