"""The summary's files: whole, deterministic, linked relatively, and readable by what reads such files."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from xml.etree import ElementTree

import jsonschema
import pytest
from summary_samples import HOSTILE, SAMPLES, small, thirty, thousand

from convert.zoo.result import Outcome
from convert.zoo.summary.build import write_summary
from convert.zoo.summary.csv import COLUMNS, render_csv
from convert.zoo.summary.json import SCHEMA_PATH, read_report, render_json, render_schema
from convert.zoo.summary.junit import render_junit
from convert.zoo.summary.markdown import MAX_BYTES, render_markdown
from convert.zoo.summary.types import Standing
from verify.errors import ReportUnreadable

_FILES = {"zoo.html", "zoo.json", "zoo.csv", "zoo.junit.xml", "zoo.md"}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_report_comes_back_as_it_went(name, tmp_path):
    report = SAMPLES[name]()
    write_summary(report, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == _FILES
    assert read_report(tmp_path / "zoo.json") == report


def test_the_committed_schema_is_current_and_a_report_follows_it():
    committed = SCHEMA_PATH.read_text(encoding="utf-8")
    assert committed == render_schema(), "run: python -m convert.zoo.summary.build_schema"
    schema = json.loads(committed)
    jsonschema.Draft202012Validator.check_schema(schema)
    data = json.loads(render_json(thirty()))
    jsonschema.validate(data, schema)
    data["rows"][0]["standing"] = "maybe"
    with pytest.raises(jsonschema.ValidationError, match="maybe"):
        jsonschema.validate(data, schema)


def test_another_schema_version_is_refused_with_the_fix(tmp_path):
    path = tmp_path / "zoo.json"
    path.write_text(render_json(small()).replace('"schema_version": "1"', '"schema_version": "99"'), encoding="utf-8")
    with pytest.raises(ReportUnreadable, match="schema version '99'; this release reads '1'") as caught:
        read_report(path)
    assert "run the conversion again" in caught.value.fix


def test_the_same_report_gives_the_same_bytes(tmp_path):
    for folder in (tmp_path / "a", tmp_path / "b"):
        write_summary(thirty(), folder, thirty(seed=9))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_a_full_disk_leaves_the_old_summary_readable(tmp_path, monkeypatch):
    write_summary(small(), tmp_path)

    def disk_full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(OSError, match="No space left"):
        write_summary(thirty(), tmp_path)
    assert read_report(tmp_path / "zoo.json") == small()
    assert {path.name for path in tmp_path.iterdir()} == _FILES


def test_a_difference_to_an_earlier_baseline_does_not_stay_lying(tmp_path):
    assert write_summary(thirty(), tmp_path, thirty(seed=9)) is not None
    assert (tmp_path / "zoo.diff.json").exists()
    assert write_summary(thirty(), tmp_path) is None
    assert not (tmp_path / "zoo.diff.json").exists()


def test_the_csv_has_a_line_per_model_and_target():
    report = thirty()
    lines = list(csv.DictReader(io.StringIO(render_csv(report))))
    assert set(lines[0]) == set(COLUMNS)
    made = [row.result.conversion.targets if row.result and row.result.conversion else () for row in report.rows]
    assert len(lines) == sum(max(1, len(targets)) for targets in made)
    alexnet = next(line for line in lines if line["model"] == "alexnet" and line["target"] == "int8")
    assert float(alexnet["sqnr_db"]) == 11.4
    assert alexnet["report"] == "models/alexnet/report.html"
    assert {line["standing"] for line in lines} == set(Standing)


def test_a_spreadsheet_runs_nothing_of_the_csv():
    names = {line["model"] for line in csv.DictReader(io.StringIO(render_csv(thirty())))}
    assert "'=cmd|calc" in names
    assert not [name for name in names if name.startswith(("=", "+", "-", "@"))]


def _junit(report):
    return ElementTree.fromstring(render_junit(report))


def _case(root, name):
    return next(case for case in root.iter("testcase") if case.get("name") == name)


def test_junit_counts_skipped_cases_on_suites_only_as_jenkins_grammar_has_it():
    root = _junit(thirty())
    assert "skipped" not in root.attrib
    assert sum(int(suite.get("skipped")) for suite in root) == len(list(root.iter("skipped"))) > 0


def test_junit_tells_failures_from_errors_and_skips_what_is_known():
    root = _junit(thirty())
    assert "11.4 dB" in _case(root, "alexnet int8").find("failure").get("message")
    assert _case(root, "alexnet float32").find("*") is None
    ended = {row.result.outcome: (row, _case(root, row.id)) for row in thirty().rows if row.result and not row.folder}
    for outcome in (Outcome.OOM, Outcome.TIMEOUT, Outcome.SIGNAL, Outcome.INFRASTRUCTURE):
        row, case = ended[outcome]
        error = case.find("error")
        assert error.get("type") == row.result.label
        assert f"fix: {row.result.fix}" in error.text
        assert row.log in error.text
    assert ended[Outcome.BAD_INPUT][1].find("failure") is not None
    not_run = next(row for row in thirty().rows if row.standing is Standing.NOT_RUN)
    hostile = [case for case in root.iter("testcase") if case.get("name").startswith("hostile")]
    assert not_run.id.startswith("hostile")
    assert [case.find("error").get("type") for case in hostile] == ["not run"]


def test_junit_skips_a_known_failure_with_its_reason_and_fails_an_unexpected_pass():
    root = _junit(thirty())
    known = [row for row in thirty().rows if row.standing is Standing.KNOWN]
    target = next(row for row in known if row.folder)
    assert _case(root, f"{target.id} int8").find("skipped").get("message") == "budget, known: known, see #123"
    whole = next(row for row in known if not row.folder)
    assert "bicubic" in _case(root, whole.id).find("skipped").get("message")
    surprise = next(row for row in thirty().rows if row.standing is Standing.UNEXPECTED_PASS)
    assert _case(root, f"{surprise.id} float32").find("failure").get("type") == "unexpected pass"
    expired = next(row for row in thirty().rows if row.standing is Standing.EXPIRED)
    assert "accepted until" in _case(root, f"{expired.id} int8").find("failure").get("message")


def test_junit_counts_and_seconds_add_up():
    report = thousand()
    root = _junit(report)
    cases = list(root.iter("testcase"))
    assert int(root.get("tests")) == len(cases) == sum(int(suite.get("tests")) for suite in root)
    wrong = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    assert int(root.get("failures")) + int(root.get("errors")) == len(wrong) == 58
    assert float(root.get("time")) == pytest.approx(sum(row.result.seconds for row in report.rows), abs=1)


def test_junit_suites_are_first_tags_then_tiers():
    rows = small().rows
    rows = (rows[0], replace(rows[1], tags=()), replace(rows[2], tags=(), tier=None))
    root = _junit(replace(small(), rows=rows))
    assert [suite.get("name") for suite in root] == ["vision", "tier 1", "torchvision"]


def test_markdown_fits_a_job_summary_and_says_what_it_leaves_out():
    text = render_markdown(thousand())
    assert len(text.encode()) < MAX_BYTES
    assert text.count("\n| ") == 1001
    long = render_markdown(thousand(count=6000))
    assert len(long.encode()) < 2**20
    assert "more models, in zoo.csv." in long.splitlines()[-1]


def test_markdown_puts_what_needs_attention_before_the_table_and_keeps_names_text():
    text = render_markdown(thirty(), None)
    assert text.startswith("## ✕ torchvision: No: of 30 models")
    assert text.index("What needs attention") < text.index("All models")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {row.replace(r"\|", "").count("|") for row in rows} == {9}
    assert "<script>" not in text
    assert HOSTILE not in text
    assert "What needs attention" not in render_markdown(small())
