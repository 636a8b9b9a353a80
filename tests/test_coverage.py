"""The coverage table: what it says of results, and that its manifests leave nothing out."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from convert.zoo.result import Outcome
from verify.checkpoint.index import load_index

ROOT = Path(__file__).parent.parent
RECORDED = Path(__file__).parent / "recorded_coverage"
MANIFESTS = ROOT / "benchmarks" / "coverage"


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def sources(name: str) -> list[str]:
    models = tomllib.loads((MANIFESTS / name).read_text())["model"]
    return [source for model in models for source in model["source"]]


def recorded_rows():
    from coverage_rows import read_zoo, zoo_rows

    return zoo_rows(read_zoo(RECORDED / "zoo.toml"), RECORDED)


def line_of(page: str, name: str) -> str:
    return next(line for line in page.splitlines() if line.startswith((f"| {name} ", f"- **{name}**")))


def test_recorded_results_become_rows_with_every_edge_and_what_others_make():
    from coverage_page import render

    rows = recorded_rows()
    page = render(rows, rows[0].code, ())
    cells = [cell.strip() for cell in line_of(page, "squeezenet1_1").strip("|").split("|")]
    assert cells[:6] == ["squeezenet1_1", "139 · 139 · 133 · **133**", "yes", "38", "0", "–"]
    assert cells[7] == "38"
    assert cells[11:15] == ["134 · 133 · 133", "43", "1", "1.01"]


def test_a_silently_wrong_file_of_onnx2tf_is_marked():
    from coverage_page import render

    assert "| **wrong: 31 · 26 · 23** |" in line_of(render(recorded_rows(), "", ()), "levit_128s")


def test_a_failure_is_one_line_with_its_reason():
    from coverage_page import render

    line = line_of(render(recorded_rows(), "", ()), "csatv2")
    assert line.startswith("- **csatv2**, failed: conversion: TensorFlow's TFLite compiler failed")


def test_what_was_not_run_is_named():
    from coverage_page import render

    page = render(recorded_rows(), "", ())
    assert "**1 models were not run yet.**" in page
    assert "Not run yet: resnet18." in page


def test_rows_of_older_code_are_said_to_be():
    from coverage_page import render

    rows = recorded_rows()
    assert "older code" not in render(rows, rows[0].code, ()).splitlines()[4]
    assert "3 of these rows are of older code" in render(rows, "today's", ()).splitlines()[4]


def test_one_model_below_90_db_breaks_the_promise():
    from coverage_promises import promises
    from coverage_types import Status

    rows = [row for row in recorded_rows() if row.id == "squeezenet1_1"]
    rows = [replace(row, zoo="timm") for row in rows]
    (seen,) = [holds for what, _, holds in promises(rows) if what.startswith("timm")]
    assert seen is True
    (seen,) = [
        holds
        for what, _, holds in promises([*rows, replace(rows[0], status=Status.CONVERTED)])
        if what.startswith("timm")
    ]
    assert seen is False


def test_every_net_of_torchvision_is_in_the_manifest_or_refused_with_a_reason():
    refused = tomllib.loads((MANIFESTS / "refused.toml").read_text())["refused"]
    left_out = [name for table in refused if table["group"].startswith("torchvision") for name in table["models"]]
    named = [source.removeprefix("torchvision:") for source in sources("torchvision.toml")]
    quantized = [name for name in left_out if name.startswith("quantized_")]
    assert sorted([*named, *left_out]) == sorted({*load_index("torchvision").architecture_names, *quantized})
    assert len(quantized) == 12
    assert all(table["reason"] for table in refused)


def test_each_family_of_timm_has_a_net_in_the_manifest():
    named = {source.removeprefix("timm:") for source in sources("timm.toml")}
    assert families()
    assert [name for name, nets in families().items() if not named & nets] == []


def test_the_systems_manifest_names_classes_that_there_are():
    for model in tomllib.loads((MANIFESTS / "systems.toml").read_text())["model"]:
        file, _, name = model["arch"].partition(":")
        assert re.search(rf"^class {name}\b", (MANIFESTS / file).read_text(), re.MULTILINE), model["arch"]


def families() -> dict[str, set[str]]:
    """timm's modules, and the entry points that each has."""
    spec = importlib.util.find_spec("timm")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "models"
    pattern = re.compile(r"^@register_model\s*\n(?:@.*\n)*def (\w+)\(", re.MULTILINE)
    found = {path.stem: set(pattern.findall(path.read_text())) for path in folder.glob("*.py")}
    return {name: nets for name, nets in found.items() if nets}


def test_a_model_that_only_int8_fails_is_converted_without_it_and_says_why(tmp_path):
    from coverage_page import render
    from coverage_rows import read_zoo, zoo_rows
    from coverage_run import ZooFile, as_converted, int8_failures, remember_int8_failures

    from convert.zoo.files import last_result, result_path, write_result
    from convert.zoo.places import Places

    shutil.copytree(RECORDED, tmp_path, dirs_exist_ok=True)
    places = Places(tmp_path / "zoo")
    whole = last_result(places.jobs, "squeezenet1_1")
    stopped = replace(whole, outcome=Outcome.CONVERSION, what="it does not run", context=("stage: int8 (…)",))
    write_result(stopped, result_path(places.jobs, "squeezenet1_1"))
    failures = int8_failures(places, ["squeezenet1_1", "csatv2"])
    assert list(failures) == ["squeezenet1_1"]
    remember_int8_failures(tmp_path, places, ["squeezenet1_1"], failures)
    write_result(whole, result_path(places.jobs, "squeezenet1_1"))
    without_int8(places.models / "squeezenet1_1" / "report.json")
    page = render(zoo_rows(read_zoo(RECORDED / "zoo.toml"), tmp_path), "", ())
    assert line_of(page, "squeezenet1_1").split(" | ")[7] == "none"
    assert "- **squeezenet1_1**, no int8 file: conversion: it does not run" in page
    file = ZooFile(RECORDED / "zoo.toml", read_zoo(RECORDED / "zoo.toml"), places)
    assert [model.id for model in as_converted(file, tmp_path).models if len(model.task.targets) == 1] == [
        "squeezenet1_1"
    ]


def without_int8(path: Path) -> None:
    report = json.loads(path.read_text())
    report["edges"] = [edge for edge in report["edges"] if edge["actual"] != "int8"]
    path.write_text(json.dumps(report))


def test_chunks_fit_the_disk_and_one_too_heavy_is_alone():
    from coverage_chunks import CHUNK_BYTES, CHUNK_MODELS, chunks, weight_bytes
    from coverage_rows import read_zoo

    models = read_zoo(MANIFESTS / "torchvision.toml").models
    made = list(chunks(models))
    assert sorted(model.id for chunk in made for model in chunk) == sorted(model.id for model in models)
    assert all(len(chunk) <= CHUNK_MODELS for chunk in made)
    assert all(sum(map(weight_bytes, chunk)) <= CHUNK_BYTES for chunk in made if len(chunk) > 1)
    assert weight_bytes(next(model for model in models if model.id == "alexnet")) == 4 * 61_100_840


def test_an_output_in_another_order_of_axes_counts_as_what_it_is():
    from coverage_onnx2tf import most_favourable_db

    want = np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32)
    assert most_favourable_db([want], [want.transpose(0, 2, 3, 1)]) == 300.0
    assert most_favourable_db([want], [want[::-1]]) < 10
    assert most_favourable_db([want], [want[:1]]) == -300.0


def test_inputs_go_in_channels_last_where_the_file_takes_them_so():
    from coverage_onnx2tf import as_taken

    image = np.zeros((2, 3, 4, 5), np.float32)
    assert as_taken(image, [-1, 4, 5, 3]).shape == (2, 4, 5, 3)
    assert as_taken(image, [1, 3, 4, 5]).shape == (2, 3, 4, 5)
    assert as_taken(image[0, 0], [1, 5]).shape == (4, 5)


def test_messages_name_no_folder_of_this_machine():
    from coverage_onnx2tf import short

    assert short("cannot open /some/where/net.onnx: no\n such file a/b") == "cannot open net.onnx: no such file a/b"


@pytest.mark.slow
def test_a_quick_subset_runs_end_to_end_and_again_at_once(tmp_path):
    docs = tmp_path / "coverage.md"
    command = [sys.executable, str(ROOT / "benchmarks" / "coverage.py"), "--filter", "tag=quick"]
    command += ["--output", str(tmp_path / "out"), "--docs", str(docs), "--peers", str(tmp_path / "none")]
    first = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    assert "squeezenet1_1" in first
    rows = [row for row in json.loads(docs.with_suffix(".json").read_text())["rows"] if row["finished"]]
    assert len(rows) >= 4
    assert {row["id"]: row["why"] for row in rows if row["status"] != "exact"} == {}
    assert all(row["onnx2tf"] is not None for row in rows)
    assert not list((tmp_path / "out").rglob("*.tflite"))
    again = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    assert "squeezenet1_1" not in again
