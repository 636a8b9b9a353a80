"""What ``verify`` prints on a terminal and into a file."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import verification_samples
from report_samples import comparison
from rich.console import Console

from verify.report.types import Verdict
from verify.report.verification_terminal import render_verification


def _printed(verification, *, width=100, encoding="utf-8", layers=False, **console) -> str:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding, write_through=True) as stream:
        made = Console(file=stream, width=width, highlight=False, **console)
        render_verification(verification, made, html_path=Path("out/report.html"), layers=layers)
        return raw.getvalue().decode(encoding)


def test_the_verdict_and_its_sentence_come_first(tmp_path):
    for make, word in (("passing", "✓ PASS"), ("failing", "✕ FAIL"), ("inconclusive", "? INCONCLUSIVE")):
        verification = getattr(verification_samples, make)(tmp_path)
        assert _printed(verification).startswith(f"{word}  {verification.headline}\n")


def test_every_edge_has_one_line_in_a_file_however_long_the_names(tmp_path):
    verification = verification_samples.failing(tmp_path)
    lines = _printed(verification, width=40).splitlines()
    for edge in verification.edges:
        assert any(line.split()[:2] == [edge.actual, edge.expected] for line in lines)


def test_a_failure_names_the_culprit_and_what_fails_alone(tmp_path):
    verification = verification_samples.failing(tmp_path)
    culprit = verification.localisations[0].culprit
    printed = _printed(verification)
    assert culprit.explanation in printed
    assert f"It fails alone: {culprit.reproducer}" in printed


def test_the_worst_layers_are_shown_where_asked_for_with_the_culprit_among_them(tmp_path):
    verification = verification_samples.failing(tmp_path)
    (where, *_) = verification.localisations
    title = f"Layer by layer, {where.expected} → {where.actual}:"
    assert title not in _printed(verification)
    printed = _printed(verification, layers=True)
    rows = printed.partition(title)[2].partition("so far: both fed")[0].strip().splitlines()[1:]
    assert len(rows) == 8
    (blamed,) = [row for row in rows if "✕ wrong" in row]
    assert f"{where.culprit.layer.op} #{where.culprit.layer.op_index}" in blamed
    assert f"these are the 8 worst of {len(where.layers)}" in printed


def test_a_terminal_is_never_exceeded_but_by_a_path(tmp_path):
    for make in ("passing", "failing", "inconclusive", "quantized"):
        verification = getattr(verification_samples, make)(tmp_path)
        for width in (80, 120):
            printed = _printed(verification, width=width, layers=True, force_terminal=True, color_system=None)
            assert [line for line in printed.splitlines() if len(line) > width and "/" not in line] == []


def test_a_narrow_terminal_without_unicode_shows_the_layers_too(tmp_path):
    options = {"width": 40, "encoding": "ascii", "layers": True, "force_terminal": True, "color_system": None}
    printed = _printed(verification_samples.failing(tmp_path), **options)
    assert "Layer by layer" in printed
    assert "##" in printed


def test_of_many_failures_the_first_are_told_and_the_others_counted(tmp_path):
    verification = verification_samples.failing(tmp_path)
    edge = verification.edges[0]
    outputs = tuple(
        comparison(5, verdict=Verdict.FAIL, failure="over tolerance", name=f"y{at}", explanation=f"Wrong {at:02}.")
        for at in range(30)
    )
    edges = (dataclasses.replace(edge, outputs=outputs, verdict=Verdict.FAIL),)
    printed = _printed(dataclasses.replace(verification, edges=edges))
    assert sum(f"Wrong {at:02}." in printed for at in range(30)) == 12
    assert "and 18 more: all are in a report (--output FOLDER)" in printed


def test_what_does_not_pass_is_told_with_what_it_was_judged_against(tmp_path):
    verification = verification_samples.failing(tmp_path)
    printed = _printed(verification)
    for edge in verification.edges:
        for output in edge.outputs:
            assert (output.explanation in printed) is (output.verdict != "pass")


def test_names_that_are_no_text_do_no_harm(tmp_path):
    printed = _printed(verification_samples.hostile(tmp_path), encoding="ascii", layers=True, force_terminal=True)
    assert "\x1b]" not in printed
    assert "\x1b[31m\x1b[0m" not in printed


def test_the_report_is_named_last(tmp_path):
    assert _printed(verification_samples.passing(tmp_path)).rstrip().endswith("Report:\n  out/report.html")
