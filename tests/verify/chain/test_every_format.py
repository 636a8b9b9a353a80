"""One net in every format, in one chain; and its reference, which stands in for it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch_net
from make_onnx_model import write_onnx_net
from verify_command import verification, verify

from verify.errors import ExitCode

ARCH = f"{torch_net.__file__}:Net"
INPUTS = ("--input", "image=N,3,8,6", "--input", "token=N:int64:0..9")
LAYOUTS = ("--layout", "image=NHWC", "--layout", "features=NHWC")


@pytest.fixture(scope="module")
def every_format(tf_models, torch_models, tmp_path_factory):
    """The report of the whole chain, and the reference that it saved."""
    folder = tmp_path_factory.mktemp("chain")
    models = (
        torch_models / "net.pth",
        torch_models / "net.pt2",
        write_onnx_net(folder / "net.onnx"),
        tf_models / "net_saved_model",
        tf_models / "net_float32.tflite",
        tf_models / "net_int8.tflite",
    )
    reference = folder / "reference.npz"
    result = verify(
        *models, "--arch", ARCH, *INPUTS, *LAYOUTS, "--save-reference", reference, "--output", folder / "report"
    )
    assert result.returncode == ExitCode.PASS, result.stdout + result.stderr
    return verification(folder / "report"), reference


def test_each_is_compared_with_its_predecessor_and_with_the_first(every_format):
    report, _ = every_format
    assert [model["format"] for model in report["models"]] == [
        "checkpoint",
        "checkpoint",
        "onnx",
        "saved_model",
        "tflite",
        "tflite",
    ]
    names = [model["name"] for model in report["models"]]
    expected = [(names[0], names[1])]
    for before, name in pairwise(names[1:]):
        expected += [(before, name), (names[0], name)]
    assert [(edge["expected"], edge["actual"]) for edge in report["edges"]] == expected


def test_float_edges_are_judged_by_float64_of_the_checkpoint(every_format):
    report, _ = every_format
    float_edges = [edge for edge in report["edges"] if edge["kind"] == "float"]
    assert len(float_edges) == 7
    assert all("float64 PyTorch" in edge["budget"] for edge in float_edges)
    assert all(model["latency_ms"] > 0 for model in report["models"])


def test_a_reference_stands_in_for_the_checkpoint(every_format, tf_models):
    """Its float64 floor and its samples travel with it; no torch is needed."""
    _, reference = every_format
    result = verify(reference, tf_models / "net_float32.tflite", *LAYOUTS)
    assert result.returncode == ExitCode.PASS, result.stderr
    assert "float32 against float64 PyTorch" in result.stdout
    assert "32 random samples (seed 0), recorded with the outputs of net.pth" in result.stdout


def test_a_wrong_model_fails_against_the_reference(every_format, tmp_path):
    _, reference = every_format
    wrong = write_onnx_net(tmp_path / "wrong.onnx", gain=1.001)
    result = verify(reference, wrong)
    assert result.returncode == ExitCode.PARITY_FAILED
    assert "output logits, over tolerance" in result.stdout


def test_a_reference_is_an_ordinary_npz_in_pytorch_layout(every_format):
    _, reference = every_format
    with np.load(reference, allow_pickle=False) as arrays:
        assert arrays["inputs/002/image"].shape == (5, 3, 8, 6)
        assert arrays["outputs/002/features"].shape == (5, 32, 8, 6)
        assert arrays["inputs/002/token"].dtype == np.int64


def test_a_reference_brings_its_own_samples(every_format, tf_models, tmp_path):
    _, reference = every_format
    data = tmp_path / "data.npz"
    np.savez(data, image=np.zeros((3, 3, 8, 6)), token=np.zeros(3, np.int64))
    result = verify(reference, tf_models / "net_float32.tflite", *LAYOUTS, "--data", data)
    assert result.returncode == ExitCode.BAD_INPUT
    assert "reference.npz brings its own inputs" in result.stderr


@pytest.mark.parametrize("name", ["samples.npz", "cut.npz"])
def test_what_is_no_reference_is_told_apart_from_samples(tf_models, every_format, tmp_path, name):
    path = tmp_path / name
    np.savez(path, image=np.zeros((3, 3, 8, 6)))
    if name == "cut.npz":
        path.write_bytes(every_format[1].read_bytes()[:5000])
    result = verify(path, tf_models / "net_float32.tflite")
    assert result.returncode == ExitCode.BAD_INPUT
    assert f"{name} is no reference" in result.stderr
    assert "samples go to --data" in result.stderr


def test_a_reference_judges_and_is_not_judged(every_format, tf_models):
    _, reference = every_format
    result = verify(tf_models / "net_float32.tflite", reference)
    assert result.returncode == ExitCode.BAD_INPUT
    assert "name the reference first" in result.stderr


def test_one_model_alone_is_no_comparison(tf_models):
    result = verify(tf_models / "net_float32.tflite")
    assert result.returncode == ExitCode.BAD_INPUT
    assert "expected two or more" in result.stderr


def test_paths_of_one_name_are_told_apart_by_their_folders(tmp_path):
    from verify.chain.entries import entries_of

    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        write_onnx_net(tmp_path / folder / "net.onnx")
    entries = entries_of((tmp_path / "old" / "net.onnx", tmp_path / "new" / "net.onnx"))
    assert [entry.name for entry in entries] == ["old/net.onnx", "new/net.onnx"]
    again = entries_of((Path(tmp_path / "old" / "net.onnx"),) * 2)
    assert len({entry.name for entry in again}) == 2
