"""The summary on a terminal, and the one for a pull request."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
from report_samples import HOSTILE, SAMPLES, failing, hostile, inconclusive, passing
from rich.console import Console

from verify.report.markdown import render_markdown
from verify.report.terminal import render_summary


def _printed(report, *, width=80, encoding="utf-8", **console) -> str:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding, write_through=True) as stream:
        render_summary(report, Console(file=stream, width=width, **console), html_path=Path("out/report.html"))
        return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_summary_fits_80_columns(name):
    assert max(map(len, _printed(SAMPLES[name]()).splitlines())) <= 80


def test_the_verdict_is_the_first_thing_said():
    assert _printed(passing()).startswith("✓ PASS  Yes: all six files are right.")
    assert _printed(failing()).startswith("✕ FAIL  No: two files are wrong.")
    assert _printed(inconclusive()).startswith("? INCONCLUSIVE  Cannot tell for int8")


def test_without_colour_nothing_is_lost():
    plain = _printed(failing())
    coloured = _printed(failing(), force_terminal=True, color_system="truecolor")
    assert "\x1b[" not in plain
    assert "\x1b[" in coloured
    for said in ("✕ fail", "one-sided NaN", "over budget", "LOGISTIC ×49", "35.9 %", "out/report.html"):
        assert said in plain


def test_bit_identical_is_said_in_words():
    report = passing()
    only = next(edge for edge in report.edges if edge.outputs[0].identical)
    report = dataclasses.replace(report, edges=(dataclasses.replace(only, expected="pytorch"),))
    row = next(line for line in _printed(report).splitlines() if line.strip().startswith("float32"))
    assert "identical" in row


def test_a_hostile_name_reaches_no_terminal_control_and_no_markup():
    printed = _printed(hostile(), force_terminal=True, color_system=None)
    assert "\x1b" not in printed
    assert "\x07" not in printed
    assert "\u202e" not in printed
    assert "[red]x[/red]" in "".join(line.rstrip() for line in printed.splitlines()).replace(" ", "")


def test_a_terminal_that_knows_only_ascii_gets_a_summary():
    assert "FAIL" in _printed(failing(), encoding="ascii")


def test_markdown_keeps_hostile_names_inside_their_cell():
    text = render_markdown(hostile())
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {row.replace(r"\|", "").count("|") for row in rows} == {8}
    assert "<script>" not in text
    assert "@here" not in text
    assert HOSTILE not in text


def test_markdown_shows_every_file():
    text = render_markdown(passing())
    for made in passing().artifacts:
        assert made.file.replace("_", r"\_") in text
