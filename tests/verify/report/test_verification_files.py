"""A verification's files: whole or not at all, and each as its readers want it."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
import re
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from markdown_it import MarkdownIt
from report_samples import HOSTILE, float_edge
from verification_samples import SAMPLES, failing, inconclusive, passing, with_edges

from verify.report.annotations import render_annotations, without_commands
from verify.report.junit import render_junit
from verify.report.types import Verdict
from verify.report.verification import NOT_FINITE_DB
from verify.report.verification_cards import also_measured
from verify.report.verification_files import write_all
from verify.report.verification_html import render_html
from verify.report.verification_json import SCHEMA_PATH, read_json, render_json, render_schema
from verify.report.verification_markdown import MAX_CHARACTERS, render_markdown

_NAMES = {"verification.json", "report.html", "report.md", "junit.xml"}
_OF_LAYERS = {"layers_0_sqnr_db.json", "layers_0_local_sqnr_db.json"}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verifications")
    return {name: sample(folder / name) for name, sample in SAMPLES.items()}


def test_all_are_written_and_the_json_comes_back_as_it_went(samples, tmp_path):
    for name, verification in samples.items():
        files = write_all(verification, tmp_path / name)
        expected = _NAMES | _OF_LAYERS if verification.localisations else _NAMES
        assert {path.name for path in (tmp_path / name).iterdir()} == expected
        assert {path.name for path in files.node_data} == expected - _NAMES
        assert read_json(files.json) == verification


def test_a_full_disk_leaves_the_old_files_and_no_trace(samples, tmp_path, monkeypatch):
    write_all(samples["pass"], tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    sync, calls = os.fsync, iter(range(9))

    def full_at_the_third(file: int) -> None:
        if next(calls) == 2:
            raise OSError(28, "No space left on device")
        sync(file)

    monkeypatch.setattr(os, "fsync", full_at_the_third)
    with pytest.raises(OSError, match="No space left"):
        write_all(samples["fail"], tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_committed_schema_is_current_and_every_verification_follows_it(samples):
    committed = SCHEMA_PATH.read_text(encoding="utf-8")
    assert committed == render_schema(), "run: python -m verify.report.build_schema"
    schema = json.loads(committed)
    jsonschema.Draft202012Validator.check_schema(schema)
    for verification in samples.values():
        jsonschema.validate(json.loads(render_json(verification)), schema)


def test_a_layer_that_is_not_finite_does_not_come_back_as_identical(samples, tmp_path):
    where = samples["fail"].localisations[0]
    strange = dataclasses.replace(where.layers[10], sqnr_db=-math.inf, local_sqnr_db=math.nan)
    where = dataclasses.replace(
        where, layers=(strange, *where.layers[1:]), culprit=dataclasses.replace(where.culprit, layer=strange)
    )
    verification = dataclasses.replace(samples["fail"], localisations=(where,))
    back = read_json(write_all(verification, tmp_path).json).localisations[0]
    for layer in (back.layers[0], back.culprit.layer):
        assert (layer.sqnr_db, layer.local_sqnr_db) == (NOT_FINITE_DB, NOT_FINITE_DB)
    for report in (verification, read_json(tmp_path / "verification.json")):
        assert "not finite here" in render_markdown(report)
        assert "Cumulative SQNR here: not finite." in render_annotations(report, tmp_path)[-1]


def test_numbers_stand_on_one_line_and_text_is_left_alone(samples):
    text = render_json(dataclasses.replace(samples["pass"], headline="[\n  1,\n  2\n]"))
    assert json.loads(text)["headline"] == "[\n  1,\n  2\n]"
    assert re.search(r'"batch_sizes": \[1, 2, 5\]', text)


# The grammar of Jenkins' xUnit plugin, junit-10.xsd: an element's attributes (required ones True) and its children.
_GRAMMAR = {
    "testsuites": ({"name": False, "time": False, "tests": False, "failures": False, "errors": False}, {"testsuite"}),
    "testsuite": (
        {"name": True, "tests": True, "failures": True, "errors": True}
        | dict.fromkeys(("time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"), False),
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name": True, "time": False, "classname": False, "group": False},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": ({"type": False, "message": False}, set()),
    "error": ({"type": False, "message": False}, set()),
    "system-out": ({}, set()),
}
_TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


def _check_junit(element: ElementTree.Element) -> None:
    attributes, children = _GRAMMAR[element.tag]
    assert set(element.attrib) <= set(attributes), element.tag
    assert {name for name, required in attributes.items() if required} <= set(element.attrib), element.tag
    assert _TIME.fullmatch(element.get("time", ""))
    for child in element:
        assert child.tag in children, f"{child.tag} in {element.tag}"
        _check_junit(child)


def test_junit_keeps_jenkins_grammar_and_its_counts(samples):
    for verification in samples.values():
        root = ElementTree.fromstring(render_junit(verification))
        _check_junit(root)
        for suite in (root, *root):
            assert int(suite.get("tests")) == len(list(suite.iter("testcase"))) > 0
            assert int(suite.get("failures")) == len(list(suite.iter("failure")))
            assert int(suite.get("errors")) == len(list(suite.iter("error")))
        assert root.get("time") == f"{verification.total_seconds:.3f}"


def test_junit_has_a_case_per_output_and_edge(samples):
    root = ElementTree.fromstring(render_junit(samples["fail"]))
    cases = {(case.get("classname"), case.get("name")): case for case in root.iter("testcase")}
    assert set(cases) == {(f"{e.expected} → {e.actual}", o.name) for e in samples["fail"].edges for o in e.outputs}
    failure = cases["net.onnx → net_float32.tflite", "boxes"].find("failure")
    assert failure.get("type") == "one-sided NaN"
    assert "0 NaN expected, 1 given" in failure.get("message")
    assert cases["net.pth → net.onnx", "logits"].find("failure") is None


def test_nothing_that_did_not_pass_comes_out_green(samples, tmp_path):
    """Whatever level says so: an output, an edge without outputs, or the run alone."""
    good = passing(tmp_path)
    bare = with_edges(good, float_edge("a", "b", verdict=Verdict.FAIL))
    stricter = with_edges(good, dataclasses.replace(good.edges[0], verdict=Verdict.INCONCLUSIVE))
    alone = dataclasses.replace(good, verdict=Verdict.FAIL)
    nothing = dataclasses.replace(good, edges=(), verdict=Verdict.INCONCLUSIVE)
    for verification in (samples["fail"], samples["inconclusive"], samples["minimal"], bare, stricter, alone, nothing):
        root = ElementTree.fromstring(render_junit(verification))
        assert int(root.get("failures")) + int(root.get("errors")) > 0
        assert render_annotations(verification, tmp_path)
    assert render_annotations(good, tmp_path) == ()
    root = ElementTree.fromstring(render_junit(good))
    assert (root.get("failures"), root.get("errors")) == ("0", "0")


# https://docs.github.com/actions/reference/workflow-commands-for-github-actions
_COMMAND = re.compile(r"::(error|warning|notice)(?: ([a-zA-Z]+=[^:,\r\n]*(?:,[a-zA-Z]+=[^:,\r\n]*)*))?::([^\r\n]*)")
_PROPERTIES = {"title", "file", "line", "endLine", "col", "endColumn"}


def _parsed(line: str) -> tuple[str, dict[str, str], str]:
    """As GitHub's runner reads a command (``ActionCommand.TryParseV2``)."""
    found = _COMMAND.fullmatch(line)
    assert found, line
    assert not re.search(r"%(?!25|0D|0A|3A|2C)", line)

    def unescaped(text: str) -> str:
        for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            text = text.replace(code, character)
        return text

    properties = dict(part.split("=", 1) for part in (found[2] or "").split(",") if part)
    assert set(properties) <= _PROPERTIES
    return found[1], {name: unescaped(value) for name, value in properties.items()}, unescaped(found[3])


def test_annotations_are_commands_that_github_reads_back(samples, tmp_path):
    for verification in samples.values():
        for line in render_annotations(verification, tmp_path):
            _parsed(line)
    kind, properties, message = _parsed(render_annotations(samples["fail"], tmp_path)[0])
    assert kind == "error"
    assert properties == {"title": "verify: net.onnx → net_float32.tflite, logits: over tolerance"}
    assert message.startswith("Over tolerance: RMS error")
    assert _parsed(render_annotations(samples["inconclusive"], tmp_path)[0])[0] == "warning"


def test_percent_comma_colon_and_newline_survive_an_annotation(samples, tmp_path):
    edge = samples["fail"].edges[1]
    output = dataclasses.replace(edge.outputs[0], name="a,b:c%2C", explanation="50 % off,\n::error::forged")
    verification = with_edges(samples["fail"], dataclasses.replace(edge, outputs=(output,)))
    _, properties, message = _parsed(render_annotations(verification, tmp_path)[0])
    assert "a,b:c%2C" in properties["title"]
    assert message == "50 % off,\\n::error::forged"


def test_text_between_is_no_command_to_github():
    stream = io.StringIO()
    with without_commands(stream):
        stream.write("::add-mask::x\n##[error]forged\n")
    first, *text, last = stream.getvalue().splitlines()
    token = re.fullmatch(r"::stop-commands::([0-9a-f]{32})", first)[1]
    assert last == f"::{token}::"
    assert text == ["::add-mask::x", "##[error]forged"]


def test_a_culprit_is_annotated_at_its_line_below_the_checkout(samples, tmp_path):
    verification = samples["fail"]
    line = render_annotations(verification, Path("/repo"))[-1]
    assert "file=net/model.py,line=50," in line
    assert "file=/repo/net/model.py,line=50," in render_annotations(verification, tmp_path)[-1]


def _tokens(text: str):
    return MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)


def test_markdown_renders_to_one_table_with_a_row_per_output(samples):
    tokens = _tokens(render_markdown(samples["fail"]))
    rows = [token for token in tokens if token.type == "tr_open"]
    assert len(rows) == 1 + sum(len(edge.outputs) for edge in samples["fail"].edges)
    assert sum(token.type == "table_open" for token in tokens) == 1
    assert tokens[0].type == "heading_open"
    text = "\n".join(token.content for token in tokens if token.type == "inline")
    assert "CONV\\_2D \\#10" in text
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(render_markdown(samples["fail"]))
    assert "<strong>CONV_2D #10 layer1.4.conv (/repo/net/model.py:50)</strong>" in html
    assert html.count("✕ fail") == 4


def test_hostile_names_stay_text_in_markdown(samples):
    text = render_markdown(samples["hostile"])
    tokens = _tokens(text)
    inline = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in inline} <= {"text", "strong_open", "strong_close", "text_special", "entity"}
    assert not [token for token in tokens if token.type == "html_block"]
    assert HOSTILE not in text
    assert "@here" not in text
    assert "\x1b" not in text


def test_markdown_of_very_many_outputs_fits_a_comment_and_says_what_it_leaves_out(tmp_path):
    verification = inconclusive(tmp_path)
    edge = verification.edges[0]
    many = tuple(dataclasses.replace(edge.outputs[0], name=f"output_{index}") for index in range(3000))
    text = render_markdown(with_edges(verification, dataclasses.replace(edge, outputs=many)))
    assert len(text) <= MAX_CHARACTERS
    assert re.search(r"… and [\d,]+ more: see report.html", text)


def test_an_unnamed_verdict_of_an_edge_is_a_row_of_its_own(tmp_path):
    bare = with_edges(failing(tmp_path), float_edge("a", "b", verdict=Verdict.FAIL))
    assert "| a → b | edge | ✕ fail |" in render_markdown(bare)


def test_nothing_is_said_twice(samples):
    edge = samples["quantized"].edges[0]
    steps = edge.outputs[0].quantized.explanation
    assert any(steps in said for said in also_measured(edge))
    output = dataclasses.replace(edge.outputs[0], explanation=f"29.6 dB. {steps}")
    assert not any(steps in said for said in also_measured(dataclasses.replace(edge, outputs=(output,))))


@pytest.mark.parametrize(
    ("verdict", "told"), [(Verdict.FAIL, "top-1 drops"), (Verdict.INCONCLUSIVE, "top-1 undecided")]
)
def test_a_task_that_decides_an_edge_is_named(samples, tmp_path, verdict, told):
    edge = samples["quantized"].edges[0]
    edge = dataclasses.replace(edge, verdict=verdict, task=dataclasses.replace(edge.task, verdict=verdict))
    verification = dataclasses.replace(with_edges(samples["quantized"], edge), verdict=verdict)
    assert f"**: {told}. " in render_markdown(verification)
    page = render_html(verification)
    assert f"</span> {told}</span>" in page[: page.index('id="models"')]
    case = list(ElementTree.fromstring(render_junit(verification)).iter("testcase"))[1]
    assert (case.get("name"), case[0].get("type")) == ("edge", told)
    assert render_annotations(verification, tmp_path)[0].endswith(
        f"edge%3A {told}::{edge.task.explanation.replace('%', '%25')}"
    )
