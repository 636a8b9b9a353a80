"""What ``verify`` prints on a terminal and into a file."""

from __future__ import annotations

import io
from pathlib import Path

import verification_samples
from rich.console import Console

from verify.report.verification_terminal import render_verification


def _printed(verification, *, width=100, encoding="utf-8", **console) -> str:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding, write_through=True) as stream:
        made = Console(file=stream, width=width, highlight=False, **console)
        render_verification(verification, made, html_path=Path("out/report.html"))
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


def test_what_does_not_pass_is_told_with_what_it_was_judged_against(tmp_path):
    verification = verification_samples.failing(tmp_path)
    printed = _printed(verification)
    for edge in verification.edges:
        for output in edge.outputs:
            assert (output.explanation in printed) is (output.verdict != "pass")


def test_names_that_are_no_text_do_no_harm(tmp_path):
    printed = _printed(verification_samples.hostile(tmp_path), encoding="ascii", force_terminal=True)
    assert "\x1b]" not in printed
    assert "\x1b[31m\x1b[0m" not in printed


def test_the_report_is_named_last(tmp_path):
    assert _printed(verification_samples.passing(tmp_path)).rstrip().endswith("Report:\n  out/report.html")
