"""The picture of what was tried: what is drawn over what, and where the axes are marked."""

from __future__ import annotations

import re

import pytest

from quantize.budget.goal import Budget, Measured, Score, Standing
from quantize.budget.plot import write_plot
from quantize.budget.report import BudgetReport, FrontierPoint

FLOAT_BYTES = 1000


def tried(sqnr_db: float, size: int, latency: float | None, *, chosen: bool = False, frontier: bool = True):
    score = Score(Measured(sqnr_db, sqnr_db - 1, sqnr_db + 1), drop=Measured((40 - sqnr_db) / 100, 0, 1))
    return FrontierPoint(3, 1.0, 0.9, size, None, score, Standing.MET, frontier, chosen, latency, latency)


POINTS = (
    tried(16.3, 410, 1.57, frontier=False),
    tried(25.8, 491, 0.65, chosen=True),
    tried(26.4, 488, 0.60),
    tried(27.9, 520, 0.66),
    tried(27.8, 523, None),
)


@pytest.fixture
def drawn(tmp_path):
    def draw(points=POINTS, budget: Budget | None = None) -> str:
        report = BudgetReport(
            budget or Budget(min_sqnr_db=25),
            Standing.MET,
            "mIoU",
            0.8,
            32,
            "calibration samples",
            (),
            points,
            FLOAT_BYTES,
        )
        write_plot(tmp_path / "net.budget.svg", report)
        return (tmp_path / "net.budget.svg").read_text(encoding="utf-8")

    return draw


def dots(svg: str) -> list[list[str]]:
    """Kinds of dots in each panel, in the order in which they are drawn."""
    return [re.findall(r'<circle class="(\w+)"[^>]*><title>', panel) for panel in svg.split("<g ")[1:]]


def test_the_file_that_was_chosen_is_drawn_last_and_never_covered(drawn):
    panels = dots(drawn())
    assert [len(panel) for panel in panels] == [4, 5]
    for panel in panels:
        assert panel[-1] == "chosen"
        assert panel[:-1] == sorted(panel[:-1], reverse=True), "tried before frontier"


@pytest.mark.parametrize("budget", [Budget(min_sqnr_db=25), Budget(max_drop=0.15)])
def test_each_panel_has_the_frontier_of_what_it_shows_and_it_only_climbs(drawn, budget):
    svg = drawn(budget=budget)
    latency, size = (panel.count("frontier") for panel in dots(svg))
    assert (latency, size) == (2, 3), "the slowest is the smallest"
    for line in re.findall(r'class="line" d="([^"]+)"', svg):
        right = [float(each) for each in re.findall(r"[MH]([\d.]+)", line)]
        down = [float(each) for each in re.findall(r"[ V]([\d.]+)", line)]
        assert right == sorted(right)
        assert down == sorted(down, reverse=True)


def test_ticks_are_round_and_no_text_reaches_beyond_the_picture(drawn):
    svg = drawn()
    width = float(re.search(r'viewBox="0 0 (\d+)', svg)[1]) / 2
    for x, label in re.findall(r'<text text-anchor="middle" x="([\d.]+)" y="272">([^<]+)<', svg):
        assert float(x) + 4 * len(label) < width
        assert float(label) % 5 == 0 or float(label) % 2 == 0
    assert "≥ 25 dB" in svg


def test_without_a_timed_file_only_sizes_are_drawn(drawn):
    svg = drawn(points=tuple(point for point in POINTS if point.latency_ms is None))
    assert "latency" not in svg
    assert "size, % of the float file" in svg
