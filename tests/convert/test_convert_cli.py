"""The command line as a person meets it: help, usage errors, and one whole run each way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

FRAMEWORKS = (
    "torch",
    "torchvision",
    "tensorflow",
    "onnx",
    "onnxruntime",
    "ai_edge_litert",
    "ai_edge_quantizer",
    "numpy",
)
COMMANDS = ("pth2tflite", "pth2onnx", "pth2tf", "onnx2tf", "onnx2tflite")


def convert(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "convert", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def lenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bare LeNet state_dict, its source, and samples."""
    folder = tmp_path_factory.mktemp("lenet")
    script = (
        "import sys, torch; sys.path.insert(0, sys.argv[1]); import nets;"
        "torch.save(nets.ready(nets.LeNet).module.state_dict(), 'lenet.pth')"
    )
    subprocess.run([sys.executable, "-c", script, str(Path(__file__).parent.parent)], cwd=folder, check=True)
    images = np.random.default_rng(0).random((48, 1, 28, 28), dtype=np.float32)
    np.savez(folder / "digits.npz", image=images)
    return folder


@pytest.fixture(scope="module")
def options() -> list[str]:
    return ["--arch", f"{Path(__file__).parent.parent / 'nets.py'}:LeNet", "--input", "image=N,1,28,28"]


@pytest.fixture(scope="module")
def whole_run(lenet: Path, options: list[str]) -> subprocess.CompletedProcess[str]:
    return convert("pth2tflite", "lenet.pth", *options, "--calib", "digits.npz", "--json", cwd=lenet)


def test_one_command_makes_every_file_and_proves_it(lenet: Path, whole_run: subprocess.CompletedProcess[str]) -> None:
    assert whole_run.returncode == 0, whole_run.stderr
    report = json.loads(whole_run.stdout)
    assert report["verdict"] == "pass"
    made = {path.name for path in (lenet / "lenet").iterdir() if not path.name.startswith(".")}
    assert made == {
        "lenet.onnx",
        "lenet_saved_model",
        "lenet_float32.tflite",
        "lenet_float16.tflite",
        "lenet_dynamic_int8.tflite",
        "lenet_int8.tflite",
        "lenet.recipe.json",
        "lenet.anatomy.json",
        "signature.json",
        "report.json",
        "report.html",
        "run.log",
    }


def test_every_edge_is_compared_at_batch_1_2_and_5(whole_run: subprocess.CompletedProcess[str]) -> None:
    edges = {(edge["expected"], edge["actual"]): edge for edge in json.loads(whole_run.stdout)["edges"]}
    chain = [("pytorch", "onnx"), ("onnx", "saved_model"), ("saved_model", "float32")]
    chain += [("float32", name) for name in ("float16", "dynamic_int8", "int8")]
    chain += [("pytorch", name) for name in ("saved_model", "float32", "float16", "dynamic_int8", "int8")]
    assert set(edges) == set(chain)
    for edge in edges.values():
        assert {1, 2, 5} <= set(edge["batch_sizes"])
        assert all(output["compared_values"] > 0 for output in edge["outputs"])


def test_names_layout_and_dynamic_batch_survive_to_every_file(
    lenet: Path, whole_run: subprocess.CompletedProcess[str]
) -> None:
    assert whole_run.returncode == 0
    declared = json.loads((lenet / "lenet" / "signature.json").read_text())
    assert len(declared) == 6
    for name, entry in declared.items():
        ((image,), (logits,)) = entry["signature"]["inputs"], entry["signature"]["outputs"]
        assert (image["name"], logits["shape"][0]) == ("image", "N"), name
        assert image["shape"] == (["N", 1, 28, 28] if name.endswith(".onnx") else ["N", 28, 28, 1]), name


def test_an_unchanged_second_run_reuses_everything_and_says_so(
    lenet: Path, options: list[str], whole_run: subprocess.CompletedProcess[str]
) -> None:
    assert whole_run.returncode == 0
    before = (lenet / "lenet" / "lenet_int8.tflite").stat().st_mtime_ns
    again = convert("pth2tflite", "lenet.pth", *options, "--calib", "digits.npz", cwd=lenet)
    assert again.returncode == 0
    assert "Nothing has changed" in again.stderr
    assert (lenet / "lenet" / "lenet_int8.tflite").stat().st_mtime_ns == before


def test_a_changed_option_remakes_only_what_follows_from_it(
    lenet: Path, options: list[str], whole_run: subprocess.CompletedProcess[str]
) -> None:
    assert whole_run.returncode == 0
    changed = convert(
        *("pth2tflite", "lenet.pth", *options, "--calib", "digits.npz", "--int8-io", "float32", "--json"), cwd=lenet
    )
    assert changed.returncode == 0, changed.stderr
    reused = {stage["name"]: stage["reused"] for stage in json.loads(changed.stdout)["stages"]}
    assert [name for name, value in reused.items() if not value] == ["int8"]


def test_a_budget_that_is_missed_exits_1_and_says_which_file(lenet: Path, options: list[str]) -> None:
    missed = convert(
        *("pth2tflite", "lenet.pth", *options, "--calib", "digits.npz", "--int8-min-sqnr-db", "90", "-o", "strict"),
        cwd=lenet,
    )
    assert missed.returncode == 1
    assert "Do not ship lenet_dynamic_int8.tflite (below budget" in missed.stdout
    assert "lenet_int8.tflite (below budget" in missed.stdout
    assert (lenet / "strict" / "report.html").exists()


def test_a_failing_run_leaves_no_folder(lenet: Path) -> None:
    failed = convert("pth2tflite", "lenet.pth", "-o", "nowhere", cwd=lenet)
    assert failed.returncode == 2
    assert "error:" in failed.stderr
    assert "fix:" in failed.stderr
    assert not (lenet / "nowhere").exists()
    assert not list(lenet.glob(".nowhere*"))


def test_ctrl_c_leaves_nothing_half_made_and_no_child(lenet: Path, options: list[str]) -> None:
    command = [sys.executable, "-m", "convert", "pth2tflite", "lenet.pth", *options, "-o", "interrupted"]
    process = subprocess.Popen(command, cwd=lenet, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    children: list[psutil.Process] = []
    deadline = time.monotonic() + 30
    while len(children) < 2 and time.monotonic() < deadline:
        children = psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.1)
    assert len(children) >= 2
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
    assert not (lenet / "interrupted").exists()
    assert not list(lenet.glob(".interrupted*"))


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_imports_no_framework(command: str | None) -> None:
    arguments = ["--help"] if command is None else [command, "--help"]
    script = f"""
import sys, convert.cli
try:
    convert.cli.app({arguments!r})
except SystemExit as end:
    assert end.code == 0
loaded = [name for name in {FRAMEWORKS!r} if name in sys.modules]
assert not loaded, loaded
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "Usage" in run.stdout


def test_a_file_where_the_output_folder_would_be_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "lenet").write_bytes(b"a model without a suffix")
    run = convert("pth2tflite", "lenet", cwd=tmp_path)
    assert run.returncode == 2
    assert "name another with --output" in run.stderr
    assert (tmp_path / "lenet").read_bytes() == b"a model without a suffix"


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--corrections", "gptq,byas", "there is no correction 'byas'"), ("--int8-io", "int16", "'int16' is not one of")],
)
def test_options_of_int8_that_there_are_not_are_refused_before_anything_runs(
    option: str, value: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "net.pth").write_bytes(b"never opened")
    run = convert("pth2tflite", "net.pth", option, value, cwd=tmp_path)
    assert run.returncode == 2
    assert said in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["net.pth"]


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    run = convert("pth2tflite", "absent.pth", cwd=tmp_path)
    assert run.returncode == 2
    assert "absent.pth does not exist" in run.stderr
    assert list(tmp_path.iterdir()) == []
