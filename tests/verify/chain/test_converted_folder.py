"""A folder that ``convert`` made stands for its files, and needs no checkpoint."""

from __future__ import annotations

import shutil

import pytest
from make_onnx_model import write_onnx_net
from verify_command import verification, verify

from verify.chain.entries import entries_of
from verify.errors import ExitCode
from verify.opening import Layout, open_model
from verify.signature_file import write_signatures

LAYOUTS = (Layout("image", "NHWC"), Layout("features", "NHWC"))


@pytest.fixture(scope="module")
def converted(tf_models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted") / "net"
    folder.mkdir()
    files = ["net_int8.tflite", "net_float32.tflite", "net_dynamic_int8.tflite"]
    for name in files:
        shutil.copyfile(tf_models / name, folder / name)
    paths = [*(folder / name for name in files), write_onnx_net(folder / "net.onnx")]
    write_signatures(folder, tuple(open_model(path, LAYOUTS).artifact for path in paths))
    return folder


def test_the_order_is_that_of_the_conversion_whatever_the_order_in_the_file(converted):
    entries = entries_of((converted,))
    assert [entry.name for entry in entries] == [
        "net.onnx",
        "net_float32.tflite",
        "net_dynamic_int8.tflite",
        "net_int8.tflite",
    ]
    assert [entry.predecessor for entry in entries] == [None, 0, 1, 1]


def test_a_model_after_a_folder_follows_its_last_float_file(converted, tf_models):
    *_, last = entries_of((tf_models / "net_float32.tflite", converted, tf_models / "net_int8.tflite"))
    assert last.predecessor == 2


def test_the_chain_is_verified_from_the_files_alone(converted, tmp_path):
    result = verify(converted, "--output", tmp_path)
    assert result.returncode == ExitCode.PASS, result.stdout + result.stderr
    edges = [(edge["expected"], edge["actual"]) for edge in verification(tmp_path)["edges"]]
    assert edges == [
        ("net.onnx", "net_float32.tflite"),
        ("net_float32.tflite", "net_dynamic_int8.tflite"),
        ("net.onnx", "net_dynamic_int8.tflite"),
        ("net_float32.tflite", "net_int8.tflite"),
        ("net.onnx", "net_int8.tflite"),
    ]


def test_a_folder_whose_files_are_gone_is_refused(converted, tmp_path):
    shutil.copyfile(converted / "signature.json", tmp_path / "signature.json")
    result = verify(tmp_path)
    assert result.returncode == ExitCode.BAD_INPUT
    assert "holds none of the files that its signature.json declares" in result.stderr
