"""``report.json`` comes back as it went, is strict JSON, and follows the committed schema."""

from __future__ import annotations

import dataclasses
import json
import math
import os

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from report_samples import SAMPLES, failing, passing

from verify.errors import ReportUnreadable
from verify.report.json import SCHEMA_PATH, read_json, render_json, render_schema, write_json
from verify.report.types import Report

_SCHEMA = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
_finite = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(float, _finite)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_report_comes_back_as_it_went(name, tmp_path):
    report = SAMPLES[name]()
    write_json(report, tmp_path / "report.json")
    assert read_json(tmp_path / "report.json") == report


# A whole report is more than Hypothesis likes to draw at once; what is too large it draws again.
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow])
@given(report=st.from_type(Report))
def test_any_report_comes_back_and_follows_the_schema(report, tmp_path_factory):
    report = dataclasses.replace(report, schema_version="1")
    path = tmp_path_factory.mktemp("any") / "report.json"
    write_json(report, path)
    assert read_json(path) == report
    jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), _SCHEMA)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_report_follows_the_schema(name):
    jsonschema.Draft202012Validator.check_schema(_SCHEMA)
    jsonschema.validate(json.loads(render_json(SAMPLES[name]())), _SCHEMA)


def test_the_schema_refuses_a_verdict_that_does_not_exist():
    data = json.loads(render_json(passing()))
    data["edges"][0]["verdict"] = "maybe"
    with pytest.raises(jsonschema.ValidationError, match="maybe"):
        jsonschema.validate(data, _SCHEMA)


def test_the_committed_schema_is_current():
    committed = SCHEMA_PATH.read_text(encoding="utf-8")
    assert committed == render_schema(), "run: python -m verify.report.build_schema"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_measure_that_is_not_finite_becomes_null(value, tmp_path):
    report = failing()
    edge = report.edges[0]
    output = dataclasses.replace(edge.outputs[0], max_abs_error=value)
    edges = (dataclasses.replace(edge, outputs=(output,)), *report.edges[1:])
    write_json(dataclasses.replace(report, edges=edges), tmp_path / "report.json")
    assert read_json(tmp_path / "report.json").edges[0].outputs[0].max_abs_error is None


def test_a_total_that_is_not_finite_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValidationError):
        write_json(dataclasses.replace(passing(), total_seconds=math.nan), tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_report_and_no_trace(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    write_json(passing(), path)

    def disk_full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(OSError, match="No space left"):
        write_json(failing(), path)
    assert read_json(path) == passing()
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is no report"),
        ("[1, 2]", "schema version None"),
        ('{"schema_version": "99"}', "schema version '99'; this release reads '1'"),
        ('{"schema_version": "1"}', "does not follow schema version 1: verdict: Field required"),
        ('{"schema_version": "1", "total_seconds": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "is no report"),
    ],
)
def test_what_is_no_report_is_refused_with_its_reason(content, complaint, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ReportUnreadable, match=complaint):
        read_json(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ReportUnreadable, match="No such file"):
        read_json(tmp_path / "report.json")
