"""The command as a user meets it: a process, its output, its exit code."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from make_onnx_model import write_onnx_net, write_onnx_scale

from verify.errors import ExitCode

HEAVY = ("torch", "tensorflow", "onnx", "onnxruntime", "ai_edge_litert", "numpy", "PIL", "pydantic")


def _verify(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "verify", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def onnx_net(tmp_path_factory) -> Path:
    return write_onnx_net(tmp_path_factory.mktemp("onnx") / "net.onnx")


def test_help_imports_no_framework():
    code = f"""
import sys
sys.argv = ["verify", "--help"]
from verify.cli import main
try:
    main()
finally:
    print("HEAVY:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert result.returncode == 0
    assert "HEAVY: []" in result.stdout


def test_help_answers_at_once():
    """Processor time, and the best of three: it must not depend on what else the machine does."""

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert _verify("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.3


def test_the_same_net_in_two_formats_passes_once_its_layout_is_declared(tf_models, onnx_net):
    tflite = tf_models / "net_float32.tflite"
    layouts = ("--layout", "image=NHWC", "--layout", "features=NHWC")
    result = _verify(onnx_net, tflite, *layouts)
    assert result.returncode == ExitCode.PASS, result.stderr
    assert result.stdout.startswith("✓ PASS  net_float32.tflite agrees with net.onnx.\n")
    assert "32 random samples (seed 0)" in result.stdout
    assert "image: float32 N×3×8×6 at batches of 1, 2, 4 and 5" in result.stdout
    assert "float32 onnxruntime against the ONNX graph at float64" in result.stdout


def test_an_undeclared_layout_is_asked_for_not_guessed(tf_models, onnx_net):
    result = _verify(onnx_net, tf_models / "net_float32.tflite")
    assert result.returncode == ExitCode.BAD_INPUT
    assert result.stdout == ""
    assert "image is (N, 3, 8, 6) in net.onnx and (N, 8, 6, 3) in net_float32.tflite" in result.stderr
    assert "fix: say how net_float32.tflite stores it, for example --layout image=NHWC" in result.stderr


def test_a_different_net_fails_with_1_and_says_which_output(onnx_net, tmp_path):
    other = write_onnx_net(tmp_path / "other.onnx", gain=1.001)
    result = _verify(onnx_net, other)
    assert result.returncode == ExitCode.PARITY_FAILED
    assert result.stdout.startswith(
        "✕ FAIL  other.onnx does not agree with net.onnx: output logits, over tolerance (60.0 dB, "
    )
    assert ", 60.0 dB SQNR over" in result.stdout


def test_single_tensors_are_paired_whatever_their_names_and_it_is_said(tmp_path):
    ours = write_onnx_scale(tmp_path / "ours.onnx", input_name="image", output_name="logits")
    theirs = write_onnx_scale(tmp_path / "theirs.onnx", input_name="serving_default_image:0", output_name="Identity")
    result = _verify(ours, theirs)
    assert result.returncode == ExitCode.PASS, result.stderr
    assert "identical" in result.stdout
    assert "image is serving_default_image:0 in theirs.onnx" in result.stdout
    assert "logits is Identity in theirs.onnx" in result.stdout


def test_json_is_the_whole_of_stdout(tf_models):
    result = _verify(tf_models / "net_float32.tflite", tf_models / "net_int8.tflite", "--json")
    assert result.returncode == ExitCode.PASS, result.stderr
    report = json.loads(result.stdout)
    (edge,) = report["edges"]
    assert edge["verdict"] == "pass"
    assert edge["kind"] == "quantized"
    assert edge["budget"] == "at least 15 dB SQNR, and each op by what its own rounding explains"
    assert {output["name"] for output in edge["outputs"]} == {"features", "logits"}
    assert all(25 < output["sqnr_db"] < 60 for output in edge["outputs"])


def test_a_stricter_budget_can_be_asked_for(tf_models):
    result = _verify(tf_models / "net_float32.tflite", tf_models / "net_int8.tflite", "--min-sqnr-db", 60)
    assert result.returncode == ExitCode.PARITY_FAILED
    assert "the budget is at least 60 dB SQNR" in result.stdout


def test_the_users_samples_are_fed(onnx_net, tmp_path):
    path = tmp_path / "data.npz"
    random = np.random.default_rng(0)
    np.savez(path, image=random.normal(size=(9, 3, 8, 6)), token=random.integers(0, 2, 9))
    result = _verify(onnx_net, onnx_net, "--samples", path)
    assert result.returncode == ExitCode.PASS, result.stderr
    assert "9 samples from data.npz\n" in result.stdout


@pytest.mark.parametrize(
    ("drop", "code", "words"),
    [("60%", ExitCode.PASS, "60 points are allowed"), ("0.1%", ExitCode.INCONCLUSIVE, "too few samples to tell")],
)
def test_labels_judge_a_quantized_model_by_its_task(tf_models, tmp_path, drop, code, words):
    path = tmp_path / "data.npz"
    random = np.random.default_rng(0)
    arrays = {"image": random.normal(size=(40, 3, 8, 6)), "token": random.integers(0, 10, 40)}
    np.savez(path, **arrays, truth=random.integers(0, 40, 40))
    layouts = [text for name in ("image", "features") for text in ("--layout", f"{name}=NHWC")]
    models = (tf_models / "net_float32.tflite", tf_models / "net_int8.tflite")
    result = _verify(*models, "--data", path, "--max-drop", drop, "--json", *layouts)
    assert result.returncode == code, result.stderr
    (edge,) = json.loads(result.stdout)["edges"]
    assert words in edge["task"]["explanation"]
    assert edge["task"]["samples"] == 32


def test_a_drop_without_labels_is_refused(onnx_net, tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, image=np.zeros((9, 3, 8, 6)), token=np.zeros(9, int))
    result = _verify(onnx_net, onnx_net, "--data", path, "--max-drop", "0.5%")
    assert result.returncode == ExitCode.BAD_INPUT
    assert "--max-drop needs labels, and there are none" in result.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "no TFLite file"), (b"\x1c\x00\x00\x00TFL3" + bytes(200), "net.tflite")],
)
def test_what_cannot_be_opened_exits_2(onnx_net, tmp_path, content, words):
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    result = _verify(onnx_net, path)
    assert result.returncode == ExitCode.BAD_INPUT
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_bad_usage_exits_2():
    assert _verify("one.onnx").returncode == ExitCode.BAD_INPUT
    assert _verify("a", "b", "--layout", "image=NHWW").returncode == ExitCode.BAD_INPUT
