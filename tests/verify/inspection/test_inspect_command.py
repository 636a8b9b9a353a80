"""``verify inspect`` as a person and as a program use it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest
from rich.console import Console
from typer.testing import CliRunner

from verify.cli import app
from verify.inspection.json import INSPECTION
from verify.inspection.opening import inspect_model, read_model
from verify.inspection.terminal import render_inspection


def shown(found, *, everything: bool = False) -> str:
    console = Console(width=100, record=True, file=open("/dev/null", "w"), highlight=False)  # noqa: PTH123, SIM115
    render_inspection(found, console, everything=everything)
    return console.export_text()


@pytest.fixture(scope="module")
def int8_net(tf_models):
    return read_model(tf_models / "net_int8.tflite")


def test_help_imports_no_framework():
    script = (
        "import sys; from typer.testing import CliRunner; from verify.cli import app; "
        "assert CliRunner().invoke(app, ['inspect', '--help']).exit_code == 0; "
        "print({'torch', 'tensorflow', 'onnx', 'numpy', 'ai_edge_litert', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_json_reads_back_as_the_same_inspection(tf_models, tmp_path):
    path = tf_models / "net_int8.tflite"
    result = CliRunner().invoke(app, ["inspect", str(path), "--json"])
    assert result.exit_code == 0, result.output
    (tmp_path / "inspection.json").write_text(result.stdout)
    assert INSPECTION.read(tmp_path / "inspection.json") == inspect_model(path)
    assert json.loads(result.stdout)["schema_version"] == "1"


def test_the_committed_schema_is_that_of_the_type():
    assert INSPECTION.schema_path.read_text() == INSPECTION.render_schema()


def test_the_page_begins_with_what_matters_most(int8_net):
    lines = shown(int8_net).splitlines()
    assert lines[0] == "net_int8.tflite  TFLite"
    assert "parameters" in lines[1]
    assert "integer weights and activations" in lines[2]


def test_runtimes_are_told_by_list_and_date_and_as_not_run(int8_net):
    page = shown(int8_net)
    assert "by each runtime's published list (not run)" in page
    for fit in int8_net.runtimes:
        assert f"list of {fit.as_of}" in page
        assert fit.source in page


def test_long_lists_are_cut_and_all_shows_them_whole(int8_net):
    assert "--all shows the lists whole." in shown(int8_net)
    whole = shown(int8_net, everything=True)
    assert "more" not in whole.replace("not more", "")
    assert all(tensor.name[:12] in whole for tensor in int8_net.quantization.tensors)


def test_a_name_from_a_file_cannot_steer_the_terminal(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    node = helper.make_node("Relu", ["a\x1b[31m"], ["y"])
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info("a\x1b[31m", TensorProto.FLOAT, (2,))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (2,))],
    )
    onnx.save(helper.make_model(graph), tmp_path / "model.onnx")
    assert "\x1b" not in shown(read_model(tmp_path / "model.onnx"))


def test_a_name_without_end_is_cut(int8_net):
    endless = dataclasses.replace(int8_net, metadata=(("description", "x" * 10**6),))
    assert len(shown(endless)) < 10**5
    assert "x" * 1000 in shown(endless, everything=True)


@pytest.mark.parametrize(("name", "data"), [("a.tflite", b"TFL3"), ("b.onnx", b"\xff\xff"), ("c.pth", b"plain text")])
def test_a_broken_file_is_bad_input_with_a_fix(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-m", "verify", "inspect", str(tmp_path / name)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error:" in done.stderr
    assert "fix:" in done.stderr


def test_a_missing_file_is_bad_input():
    done = subprocess.run(
        [sys.executable, "-m", "verify", "inspect", "nowhere.tflite"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "there is no nowhere.tflite" in done.stderr


def test_several_files_give_a_list_and_a_broken_one_does_not_hide_the_rest(tf_models, tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\xff\xff")
    paths = [str(tf_models / "net_int8.tflite"), str(broken), str(tf_models / "net_saved_model")]
    result = CliRunner().invoke(app, ["inspect", "--json", *paths])
    assert result.exit_code == 2
    assert [one["format"] for one in json.loads(result.stdout)] == ["TFLite", "SavedModel"]
    assert "broken.onnx is no ONNX file" in result.stderr
