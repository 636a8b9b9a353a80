"""The zoo's page in a real browser: it opens, sorts, filters, expands and draws, with 3, 30 and 1,000 models."""

from __future__ import annotations

import re

import pytest
from browser_pages import CONTRASTS, Visit, chromium
from playwright.sync_api import expect
from summary_samples import SAMPLES, thirty, thousand

from convert.zoo.summary.build import write_summary
from verify.report import words

pytestmark = pytest.mark.browser

_WIDTHS = (1280, 400, 320)
_MOST_ELEMENTS = 25_000
"""A thousand models with four files each; what a browser opens within a second."""

_ROWS = "[...document.querySelectorAll('#rows > tbody > tr:not(.detail)')]"
_VISIBLE = f"{_ROWS}.filter((tr) => tr.checkVisibility())"
_IDS = f"{_VISIBLE}.map((tr) => tr.cells[0].querySelector('.name').textContent)"
_SQNRS = f"{_VISIBLE}.map((tr) => tr.cells[5].textContent)"


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoos")
    for name, sample in SAMPLES.items():
        write_summary(sample(), folder / name, thirty(seed=9) if name == "thirty" else None)
    return folder


@pytest.fixture
def visit(browser, pages):
    """Opens a zoo's page; afterwards it must have complained of nothing and asked for nothing but itself."""
    opened = []

    def open_page(name, *, width=1280, scheme="light", fragment=""):
        path = pages / name / "zoo.html"
        it = Visit(browser, path, width=width, scheme=scheme)
        if fragment:
            it.page.goto(path.as_uri() + fragment)
            it.page.reload()
        opened.append((it, path))
        return it.page

    yield open_page
    for it, path in opened:
        assert it.complaints == []
        assert {url.split("#")[0] for url in it.requests} == {path.as_uri()}
        assert it.page.title() != "pwned"
        it.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_opens_on_its_answer_and_holds_its_width(visit, name, scheme):
    page = visit(name, scheme=scheme)
    report = SAMPLES[name]()
    assert page.inner_text("h1") == report.headline
    assert page.locator("h1").bounding_box()["y"] < 200
    expect(page.locator("#found")).to_have_text(words.count(len(report.rows), "model"))
    assert page.evaluate("document.getElementsByTagName('*').length") < _MOST_ELEMENTS
    if name != "thousand":
        assert page.evaluate(CONTRASTS) == [], "WCAG AA wants 4.5:1"
    for width in _WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"scrolls sideways at {width} px"


@pytest.mark.parametrize("name", ["thirty", "thousand"])
def test_a_header_sorts_up_then_down_then_not_at_all(visit, name):
    page = visit(name)
    page.locator("#target").select_option("int8")
    before = page.evaluate(_IDS)
    header = page.locator("th[data-sort=sqnr]")
    header.get_by_role("button").press("Enter")
    assert header.get_attribute("aria-sort") == "ascending"
    values = [float(text.split()[0]) for text in page.evaluate(_SQNRS) if text != words.NOTHING]
    assert values == sorted(values)
    assert len(values) >= 20
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    values = [float(text.split()[0]) for text in page.evaluate(_SQNRS) if text != words.NOTHING]
    assert values == sorted(values, reverse=True)
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") is None
    assert page.evaluate(_IDS) == before


def test_what_has_no_value_sorts_last_either_way(visit):
    page = visit("thirty")
    for _ in range(2):
        page.locator("th[data-sort=sqnr] button").click()
        assert page.evaluate(_SQNRS)[-1] == ""


def test_words_filter_and_the_address_keeps_them(visit):
    page = visit("thousand")
    page.locator("#q").fill("resnet18 team-3")
    page.locator("#tag").select_option("mobile")
    rows = [row for row in thousand().rows if {"team-3", "mobile"} <= set(row.tags) and "resnet18" in row.id]
    assert page.evaluate(_IDS) == [row.id for row in rows]
    expect(page.locator("#found")).to_have_text(f"{len(rows)} of 1,000 models")
    page.reload()
    assert page.evaluate(_IDS) == [row.id for row in rows]
    assert page.locator("#q").input_value() == "resnet18 team-3"
    page.locator("#clear").click()
    expect(page.locator("#found")).to_have_text("1,000 models")
    assert "#" not in page.url


def test_a_count_at_the_top_filters_the_table(visit):
    page = visit("thousand")
    page.locator(".counts a", has_text="58 fail").click()
    expect(page.locator("#found")).to_have_text("58 of 1,000 models")
    assert page.locator("#standing").input_value() == "fail"
    page.wait_for_function("document.getElementById('controls').getBoundingClientRect().y < 450")
    page.locator(".group h3 a", has_text="8 models").click()
    expect(page.locator("#found")).to_have_text("8 of 1,000 models")
    page.go_back()
    page.wait_for_function("document.getElementById('found').textContent.startsWith('58')")


def test_one_kind_of_file_can_be_chosen_in_the_legend(visit):
    page = visit("small")
    assert page.evaluate(_SQNRS)[0].count("\n") == 3
    page.get_by_role("button", name="dynamic int8").click()
    assert page.evaluate(_SQNRS)[0].count("\n") == 0
    assert page.locator("#plot-size .marks").count() == 1
    assert page.get_by_role("button", name="dynamic int8").get_attribute("aria-pressed") == "true"


def test_a_row_opens_to_its_error_its_fix_and_where_it_happened(visit):
    page = visit("thirty")
    row = next(row for row in thirty().rows if row.result and row.result.label == "oom")
    opener = page.get_by_role("button", name=f"Details of {row.id}")
    opener.press("Enter")
    assert opener.get_attribute("aria-expanded") == "true"
    told = page.locator(f"#{opener.get_attribute('aria-controls')}").inner_text()
    for part in (row.result.what, row.result.fix, *row.result.context, "2 attempts", "12.9 GB", "builder-3"):
        assert part in told
    opener.click()
    assert page.locator("tr.detail").count() == 0


def test_a_name_that_needs_attention_leads_to_its_row_whatever_the_filter(visit):
    page = visit("thousand")
    page.locator("#q").fill("nothing has this name")
    assert page.evaluate(_IDS) == []
    name = page.locator(".causes a.name", has_text="vgg11-0494")
    name.evaluate("(link) => link.closest('details')?.setAttribute('open', '')")
    name.click()
    row = page.locator("tr.open", has_text="vgg11-0494")
    row.wait_for()
    box = row.bounding_box()
    assert 0 < box["y"] < 900
    assert page.locator("tr.detail").inner_text().count("GridSample")


def test_a_long_table_comes_in_two_parts(visit):
    page = visit("thousand")
    assert len(page.evaluate(_IDS)) == 200
    page.get_by_role("button", name="Show the other 800").click()
    assert page.evaluate(_IDS) == [row.id for row in thousand().rows]


@pytest.mark.parametrize("name", ["small", "thirty", "thousand"])
def test_every_file_with_numbers_is_drawn_and_a_click_goes_to_its_row(visit, name):
    page = visit(name)
    drawn = page.evaluate("plots.size.marks.length")
    targets = [it for row in SAMPLES[name]().rows if row.folder for it in row.result.conversion.targets]
    assert drawn == sum(it.sqnr_db is not None for it in targets)
    assert page.locator("#plot-size svg *").count() < 60
    place = page.evaluate("(({x, y}) => ({x, y}))(plots.latency.marks[Math.floor(plots.latency.marks.length / 2)])")
    plot = page.locator("#plot-latency svg")
    plot.hover(position=place)
    said = page.locator("#plot-latency .tip").inner_text()
    assert re.search(r" m?s, \d+\.\d dB$", said)
    plot.click(position=place)
    expect(page.locator("tr.open .name")).to_have_text(said.split("\n")[0])


def test_plots_follow_the_filter_and_answer_to_the_keyboard(visit):
    page = visit("thirty")
    page.locator("#q").fill("vit_b_16")
    assert page.evaluate("plots.size.marks.length") == 4
    page.locator("#plot-size svg").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#plot-size .tip").inner_text().startswith("vit_b_16\n")
    page.keyboard.press("Enter")
    expect(page.locator("tr.open .name")).to_have_text("vit_b_16")


def test_the_fragment_of_a_foreign_address_runs_nothing(visit):
    fragment = "#q=%3Cimg%20src%3Dx%20onerror%3Ddocument.title%3D'pwned'%3E&sort=constructor&open=x"
    page = visit("thirty", fragment=fragment)
    expect(page.locator("#found")).to_have_text("0 of 30 models")


def test_on_paper_the_whole_table_is_there_and_light(visit):
    page = visit("thousand", width=1000, scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert len(page.evaluate(_IDS)) == 1000
    assert not page.locator("#controls").is_visible()


def test_without_scripts_the_table_is_whole(browser, pages):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((pages / "thirty" / "zoo.html").as_uri())
    assert page.locator("#rows tbody tr").count() == 30
    assert page.locator("noscript").is_visible()
    assert not page.locator("#plots").is_visible()
    context.close()
