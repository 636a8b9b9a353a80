"""The page in a real browser, at desktop and phone width, light and dark."""

from __future__ import annotations

import os
import shutil

import pytest
from report_samples import SAMPLES

from verify.report import words
from verify.report.html import write_html

pytestmark = pytest.mark.browser

_BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
_FIRST_WORDS = {
    "pass": "✓ PASS",
    "fail": "✕ FAIL",
    "inconclusive": "? INCONCLUSIVE",
    "hostile": "✕ FAIL",
    "minimal": "✕ FAIL",
}
_WIDTHS = (1280, 390, 320)

_CONTRASTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const linear = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = (c) => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const page = getComputedStyle(document.body).backgroundColor;
  const behind = (e) => {
    if (e.closest('svg')) {
      return rgba(e.matches('.title, .line') ? getComputedStyle(document.querySelector('.chain .box')).fill : page);
    }
    for (; e; e = e.parentElement) {
      const style = getComputedStyle(e), tint = style.backgroundImage.match(/rgba?\\([^)]*\\)/);
      const colour = rgba(tint ? tint[0] : style.backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || e.tagName.toLowerCase() === 'title' || !e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    const front = luminance(rgba(e.closest('svg') ? style.fill : style.color)), back = luminance(behind(e));
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (ratio < 4.5) poor.push(`${e.tagName} ${ratio.toFixed(2)} ${e.textContent.slice(0, 30)}`);
  }
  return poor;
}"""
"""Every text of less contrast to what is behind it than WCAG AA wants."""


@pytest.fixture(scope="module")
def browser():
    if _BROWSER is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs Chromium: install chromium, or the page goes untested")
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=_BROWSER, args=_ARGUMENTS)
        yield running
        running.close()


class _Visit:
    """One page, opened, with everything it complained about and asked for."""

    def __init__(self, browser, path, *, width: int, scheme: str) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())


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
    visit = _Visit(browser, path, width=_WIDTHS[0], scheme=scheme)
    page = visit.page
    assert page.inner_text("body").startswith(_FIRST_WORDS[name])
    assert page.inner_text("h1") == words.printable(SAMPLES[name]().headline)
    assert page.locator("h1").bounding_box()["y"] < 200
    for width in _WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"scrolls sideways at {width} px"
    assert page.evaluate(_CONTRASTS) == [], "WCAG AA wants 4.5:1"
    assert visit.complaints == []
    assert visit.requests == [path.as_uri()]
    assert page.title() != "pwned"
    page.close()


def test_the_contrast_check_can_fail(browser, pages):
    page = _Visit(browser, pages / "pass.html", width=1280, scheme="light").page
    page.add_style_tag(content="h1 { color: #8a8a8a !important }")
    assert [line.split()[0] for line in page.evaluate(_CONTRASTS)] == ["H1"]
    page.close()


def test_only_the_drawing_that_fits_is_shown(browser, pages):
    page = _Visit(browser, pages / "pass.html", width=1280, scheme="light").page
    assert page.locator(".chain .lying").is_visible()
    assert not page.locator(".chain .upright").is_visible()
    page.set_viewport_size({"width": 390, "height": 900})
    assert not page.locator(".chain .lying").is_visible()
    assert page.locator(".chain .upright").is_visible()
    page.close()


def test_tables_stay_tables_for_a_screen_reader_on_a_phone(browser, pages):
    page = _Visit(browser, pages / "fail.html", width=390, scheme="light").page
    assert page.get_by_role("table").count() == page.locator("table").count() > 4
    assert page.get_by_role("row", name="TFLite int8").first.is_visible()
    page.close()


def test_on_paper_the_snippets_are_open_and_the_page_is_light(browser, pages):
    page = _Visit(browser, pages / "pass.html", width=794, scheme="dark").page
    assert not page.locator("pre", has_text="resnet18_int8.tflite").last.is_visible()
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("pre", has_text="resnet18_int8.tflite").last.bounding_box()["height"] > 100
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    page.close()
