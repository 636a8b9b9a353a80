from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from quantize.correction.names import CHOICE
from verify.artifact import Artifact, Format, sha256_of
from verify.runners.tflite_file import tflite_signature
from verify.signature_file import declared_artifact, write_signatures


def quantize(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "quantize", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(float_models, tmp_path) -> Path:
    shutil.copy(float_models / "mixed.tflite", tmp_path / "net_float32.tflite")
    shutil.copy(float_models / "image.npz", tmp_path / "data.npz")
    return tmp_path


def test_samples_make_int8_and_a_recipe(folder):
    done = quantize("net_float32.tflite", "--calib", "data.npz", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["file"] == "net_int8.tflite"
    assert made["sha256"] == sha256_of(folder / "net_int8.tflite")
    assert made["recipe"] == "net.recipe.json"
    assert made["signature"]["inputs"][0]["dtype"] == "int8"
    assert sorted(path.name for path in folder.iterdir()) == [
        "data.npz", "net.anatomy.html", "net.anatomy.json", "net.recipe.json", "net_float32.tflite", "net_int8.tflite",
    ]  # fmt: skip


def test_a_correction_that_there_is_not_is_refused_before_the_file_is_looked_at(tmp_path):
    done = quantize("missing.tflite", "--calib", "data.npz", "--corrections", "gptq,byas", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no correction 'byas'" in done.stderr
    assert CHOICE in done.stderr


def test_a_recipe_makes_the_same_file_again(folder):
    assert quantize("net_float32.tflite", "--calib", "data.npz", cwd=folder).returncode == 0
    remake = ("net_float32.tflite", "--recipe", "net.recipe.json", "-o", "again.tflite")
    assert quantize(*remake, cwd=folder).returncode == 0
    assert (folder / "again.tflite").read_bytes() == (folder / "net_int8.tflite").read_bytes()


def test_the_layout_that_is_declared_beside_the_model_is_kept(folder):
    path = folder / "net_float32.tflite"
    signature = tflite_signature(path, {"image": (0, 2, 3, 1)})
    write_signatures(folder, (Artifact(path, Format.TFLITE, signature, sha256_of(path)),))
    done = quantize("net_float32.tflite", "--calib", "data.npz", cwd=folder)
    assert done.returncode == 2
    assert "input image takes (samples, 3, 16, 16) in PyTorch layout" in done.stderr
    assert quantize("net_float32.tflite", "--to", "dynamic-int8", cwd=folder).returncode == 0
    made = declared_artifact(folder / "net_dynamic_int8.tflite")
    assert made.signature.input("image").permutation == (0, 2, 3, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["net_float32.tflite"], "give --calib data.npz for int8, or --to float16 or --to dynamic-int8"),
        (["net_float32.tflite", "--to", "int8"], "a static int8 file needs samples of what the model will see"),
        (["net_float32.tflite", "--to", "float16", "--calib", "data.npz"], "takes neither samples nor a recipe"),
        (["missing.tflite", "--to", "float16"], "missing.tflite does not exist"),
        (["data.npz", "--to", "float16"], "data.npz is no TFLite file"),
        (["net_float32.tflite", "--calib", "missing.npz"], "does not exist"),
        (["net_float32.tflite", "--to", "float16", "-o", "net_float32.tflite"], "is the input itself"),
        (["net_float32.tflite", "--to", "int4-weights", "--keep-float", "MEAN"], "takes neither samples nor a recipe"),
        (["net_float32.tflite", "--to", "int4-weights", "--corrections", "gptq"], "takes neither samples nor a recipe"),
        (["net_float32.tflite", "--calib", "synthetic"], "convert pth2tflite MODEL.pth --calib synthetic"),
        (["net_float32.tflite", "--calib", "data.npz", "--keep-float", "MEEN"], "near to it: MEAN"),
        (["net_float32.tflite", "--calib", "data.npz", "--input-stats", "1"], "is no input statistics"),
        (["net_float32.tflite", "--calib", "data.npz", "--weight-bits", "2"], "LiteRT takes 4 and 8"),
        (
            ["net_float32.tflite", "--to", "int16x8", "--calib", "data.npz", "--int8-io", "uint8"],
            "give int16 or float32",
        ),
        (["net_float32.tflite", "--recipe", "x.json", "--keep-float", "MEAN"], "a recipe says them already"),
    ],
)
def test_bad_usage_leaves_with_2_says_why_and_writes_nothing(folder, arguments, message):
    before = sorted(folder.iterdir())
    done = quantize(*arguments, cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr
    assert sorted(folder.iterdir()) == before


def test_ops_are_kept_in_float_and_the_input_means_what_was_said(folder):
    wishes = ("--keep-float", "MEAN", "--int8-io", "uint8", "--input-stats", "128,64")
    done = quantize("net_float32.tflite", "--calib", "data.npz", *wishes, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert [(each["op"], each["reason"]) for each in made["float_ops"]] == [
        ("MEAN", "it was asked to be kept in float")
    ]
    stored = made["signature"]["inputs"][0]["quantization"]
    assert (stored["scale"], stored["zero_point"]) == (1 / 64, 128)


@pytest.mark.parametrize("target", ["weight-only-int8", "int4-weights"])
def test_weight_only_targets_need_no_data(target, folder):
    assert quantize("net_float32.tflite", "--to", target, cwd=folder).returncode == 0
    assert (folder / f"net_{target.replace('-', '_')}.tflite").is_file()


def test_16x8_takes_and_gives_int16(folder):
    done = quantize("net_float32.tflite", "--to", "int16x8", "--calib", "data.npz", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["signature"]["inputs"][0]["dtype"] == "int16"
    assert (folder / "net_int16x8.recipe.json").is_file()


def test_a_file_that_cannot_be_int8_throughout_leaves_with_3_and_says_what_is_not(folder, float_models):
    shutil.copy(float_models / "leaky.tflite", folder / "leaky.tflite")
    done = quantize("leaky.tflite", "--calib", "data.npz", "--require-full-int8", cwd=folder)
    assert done.returncode == 3
    assert "1 × ATAN2 (LiteRT has no int8 kernel for it" in done.stderr
    assert not (folder / "leaky_int8.tflite").exists()


def test_a_quantized_file_is_not_quantized_again(folder):
    assert quantize("net_float32.tflite", "--calib", "data.npz", cwd=folder).returncode == 0
    done = quantize("net_int8.tflite", "--calib", "data.npz", cwd=folder)
    assert done.returncode == 2
    assert "net_int8.tflite is quantized already: its 'image' is int8" in done.stderr


def test_help_imports_no_framework(tmp_path):
    code = (
        "import sys, contextlib\nfrom quantize.cli import app\n"
        "with contextlib.suppress(SystemExit): app(['--help'])\n"
        "print(sorted({'numpy', 'pydantic', 'ai_edge_litert', 'tensorflow', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.rstrip().endswith("[]")
