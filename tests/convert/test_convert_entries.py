"""The same stages from Python, and entered or left elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from convert import pth2tflite
from convert.stages.export import ExportOnnx
from convert.stages.quantize import ToInt8
from quantize.recipe import IoOption
from verify.errors import InputError
from verify.report.types import Verdict

TESTS = Path(__file__).parent.parent
LENET = ExportOnnx(arch=f"{TESTS / 'nets.py'}:LeNet", inputs=("image=N,1,28,28",))
MAKE = """
import sys, torch
sys.path.insert(0, sys.argv[1])
import nets
torch.save(nets.ready(nets.LeNet).module.state_dict(), "lenet.pth")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("entries")
    subprocess.run([sys.executable, "-c", MAKE, str(TESTS)], cwd=made, check=True)
    return made


def convert(folder: Path, *arguments: str) -> dict[str, object]:
    command = [sys.executable, "-m", "convert", *arguments, "--json"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    report: dict[str, object] = json.loads(run.stdout)
    return report


def names(report: dict[str, object]) -> list[str]:
    artifacts = report["artifacts"]
    assert isinstance(artifacts, list)
    return [artifact["name"] for artifact in artifacts]


def test_python_gets_the_report_and_the_files(folder: Path) -> None:
    report = pth2tflite(
        folder / "lenet.pth",
        output=folder / "from_python",
        calib="random",
        export=LENET,
        int8=ToInt8(int8_io=IoOption.UINT8),
    )
    assert report.verdict is Verdict.PASS
    int8 = next(artifact for artifact in report.artifacts if artifact.name == "int8")
    assert int8.signature.input("image").dtype == "uint8"
    assert (folder / "from_python" / int8.file).stat().st_size == int8.size_bytes


def test_python_gets_the_typed_error(folder: Path) -> None:
    with pytest.raises(InputError, match="--input"):
        pth2tflite(folder / "lenet.pth", output=folder / "none", export=ExportOnnx(arch=LENET.arch))
    assert not (folder / "none").exists()


def test_each_part_hands_over_to_the_next(folder: Path) -> None:
    flags = ("--arch", str(LENET.arch), "--input", LENET.inputs[0])
    assert names(convert(folder, "pth2onnx", "lenet.pth", *flags, "-o", "first")) == ["onnx"]
    made = convert(folder, "onnx2tf", "first/lenet.onnx", "--layout", "image=NCHW", "-o", "second")
    assert names(made) == ["saved_model"]
    signature = json.loads((folder / "second" / "signature.json").read_text())["lenet_saved_model"]["signature"]
    assert signature["inputs"][0]["shape"] == ["N", 1, 28, 28]


def test_onnx_becomes_tflite_judged_against_onnx(folder: Path) -> None:
    flags = ("--arch", str(LENET.arch), "--input", LENET.inputs[0])
    assert names(convert(folder, "pth2tf", "lenet.pth", *flags, "-o", "tf")) == ["onnx", "saved_model"]
    made = convert(folder, "onnx2tflite", "tf/lenet.onnx", "-o", "lite")
    assert names(made) == ["saved_model", "float32", "float16", "dynamic_int8"]
    edges = made["edges"]
    assert isinstance(edges, list)
    assert ("onnx", "float32") in {(edge["expected"], edge["actual"]) for edge in edges}
