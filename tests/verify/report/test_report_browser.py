"""The page in a real browser, at desktop and phone width, light and dark."""

from __future__ import annotations

import dataclasses

import pytest
from anatomy_samples import LONG, anatomy
from browser_pages import CONTRASTS, Visit, chromium
from report_samples import SAMPLES

from verify.report import words
from verify.report.anatomy_files import write_anatomy_page
from verify.report.html import write_html

pytestmark = pytest.mark.browser

_FIRST_WORDS = {
    "pass": "✓ PASS",
    "fail": "✕ FAIL",
    "inconclusive": "? INCONCLUSIVE",
    "hostile": "✕ FAIL",
    "minimal": "✕ FAIL",
}
_WIDTHS = (1280, 390, 320)


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, sample in SAMPLES.items():
        write_html(sample(), folder / f"{name}.html")
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_opens_on_its_verdict_and_holds_its_width(browser, pages, name, scheme):
    path = pages / f"{name}.html"
    visit = Visit(browser, path, width=_WIDTHS[0], scheme=scheme)
    page = visit.page
    assert page.inner_text("body").startswith(_FIRST_WORDS[name])
    assert page.inner_text("h1") == words.printable(SAMPLES[name]().headline)
    assert page.locator("h1").bounding_box()["y"] < 200
    for width in _WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"scrolls sideways at {width} px"
    assert page.evaluate(CONTRASTS) == [], "WCAG AA wants 4.5:1"
    assert visit.complaints == []
    assert visit.requests == [path.as_uri()]
    assert page.title() != "pwned"
    page.close()


def test_the_contrast_check_can_fail(browser, pages):
    page = Visit(browser, pages / "pass.html", width=1280, scheme="light").page
    page.add_style_tag(content="h1 { color: #8a8a8a !important }")
    assert [line.split()[0] for line in page.evaluate(CONTRASTS)] == ["H1"]
    page.close()


def test_only_the_drawing_that_fits_is_shown(browser, pages):
    page = Visit(browser, pages / "pass.html", width=1280, scheme="light").page
    assert page.locator(".chain .lying").is_visible()
    assert not page.locator(".chain .upright").is_visible()
    page.set_viewport_size({"width": 390, "height": 900})
    assert not page.locator(".chain .lying").is_visible()
    assert page.locator(".chain .upright").is_visible()
    page.close()


def test_tables_stay_tables_for_a_screen_reader_on_a_phone(browser, pages):
    page = Visit(browser, pages / "fail.html", width=390, scheme="light").page
    assert page.get_by_role("table").count() == page.locator("table").count() > 4
    assert page.get_by_role("row", name="TFLite int8").first.is_visible()
    page.close()


def test_on_paper_the_snippets_are_open_and_the_page_is_light(browser, pages):
    page = Visit(browser, pages / "pass.html", width=794, scheme="dark").page
    assert not page.locator("pre", has_text="resnet18_int8.tflite").last.is_visible()
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("pre", has_text="resnet18_int8.tflite").last.bounding_box()["height"] > 100
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    page.close()


@pytest.fixture(scope="module")
def insides(tmp_path_factory):
    """The page on the inside of an int8 file by itself, and as a section of a run's report."""
    folder = tmp_path_factory.mktemp("insides")
    write_html(dataclasses.replace(SAMPLES["pass"](), anatomy=anatomy()), folder / "section.html")
    return {"page": write_anatomy_page(folder / "net_int8.tflite", anatomy()), "section": folder / "section.html"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["page", "section"])
def test_the_inside_of_an_int8_file_is_readable_opened_and_holds_its_width(browser, insides, name, scheme):
    visit = Visit(browser, insides[name], width=_WIDTHS[0], scheme=scheme)
    page = visit.page
    section = page.locator("section[aria-labelledby=inside]")
    section.locator("summary").click()
    assert section.get_by_role("row", name=LONG).count() == 1
    for width in _WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"scrolls sideways at {width} px"
        table = section.locator(".table")
        assert table.evaluate("e => e.scrollWidth <= e.clientWidth"), f"the table scrolls sideways at {width} px"
        shown = [kind for kind in ("lying", "upright") if section.locator(f"svg.{kind}").is_visible()]
        assert shown == ["lying" if width > 760 else "upright"]
    assert page.evaluate(CONTRASTS) == [], "WCAG AA wants 4.5:1"
    assert "1 × POW and 1 × ATAN2: LiteRT has no int8 kernel for it" in section.inner_text()
    assert "\\x" not in section.inner_text()
    assert visit.complaints == []
    assert visit.requests == [insides[name].as_uri()]
    assert page.title() != "pwned"
    page.close()
