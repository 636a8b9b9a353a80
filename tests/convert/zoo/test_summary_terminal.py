"""What a person sees in a terminal: as long as what is wrong, not as the zoo."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from summary_samples import small, thirty, thousand

from convert.zoo.summary.diff import diff
from convert.zoo.summary.terminal import render_summary


def _printed(report, changes=None, *, width=80, **options):
    options = {"force_terminal": False, "color_system": None} | options
    console = Console(file=io.StringIO(), width=width, highlight=False, **options)
    render_summary(report, console, Path("out/zoo.html"), changes)
    return console.file.getvalue()


def test_a_zoo_that_is_right_takes_two_lines_and_the_place_of_its_page():
    lines = [line for line in _printed(small()).splitlines() if line.strip()]
    assert lines == ["✓ PASS  Yes: all 3 models pass.", "✓ 3 pass · took 56.6 s", "Summary: out/zoo.html"]


def test_a_thousand_models_do_not_print_a_thousand_lines():
    printed = _printed(thousand())
    assert len(printed.splitlines()) < 100
    assert "resnext50_32x4d-0197" in printed
    assert "and 16" in printed


@pytest.mark.parametrize("width", [60, 80, 200])
def test_everything_that_is_not_as_expected_is_named_with_its_reason(width):
    printed = "".join(_printed(thirty(), width=width).split())
    for said in ("✕oom", "11.4dB", "✕signal11", "–notrun", "✕expired", "!unexpectedpass", "fix:raisetimeout"):
        assert said in printed


def test_changes_since_a_baseline_are_listed_and_cut():
    printed = _printed(thirty(), diff(thirty(seed=9), thirty()), width=120)
    assert "84 regressions and 68 progressions" in printed
    assert "↓ alexnet float32: size 249 MB → 254 MB" in printed
    assert "… and 74 more" in printed
    assert "decides nothing" in printed


def test_a_hostile_name_reaches_no_terminal_control():
    printed = _printed(thirty(), force_terminal=True)
    assert "\x1b" not in printed
    assert "\u202e" not in printed
