"""Axes beyond the batch that are free to the last file: three sizes each, and a refusal where a net takes one only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from convert.hosts import WarmHosts
from convert.progress import Progress
from convert.run import Outcome, convert
from convert.settings import RunSettings
from convert.stages.base import Stage
from convert.stages.export import ExportOnnx
from convert.stages.lower import OnnxToSavedModel
from convert.stages.quantize import ToDynamicInt8, ToFloat16, ToInt8
from convert.stages.to_tflite import SavedModelToTflite
from verify.errors import ExportFailed
from verify.report.types import Verdict

NETS = Path(__file__).with_name("dynamic_nets.py")
SAVE = """
import sys, torch
sys.path.insert(0, sys.argv[1])
import dynamic_nets
torch.manual_seed(0)
for name in sys.argv[2:]:
    torch.save(getattr(dynamic_nets, name)().state_dict(), f"{name}.pth")
"""
PICTURES = ("image=N,3,32,32", "image=N,3,H,W")
NAMES = ("Segmenter", "UNet", "Gated", "SuperResolution", "Waves", "Encoder", "Windows", "Flattened")
WHOLE = (OnnxToSavedModel(), SavedModelToTflite(), ToFloat16(), ToDynamicInt8(), ToInt8())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nets")
    subprocess.run([sys.executable, "-c", SAVE, str(NETS.parent), *NAMES], cwd=folder, check=True)
    return folder


def run(folder: Path, warm: WarmHosts, name: str, stages: tuple[Stage, ...], **options: object) -> Outcome:
    export = ExportOnnx(arch=f"{NETS}:{name}", **options)
    calibration = "random" if any(isinstance(stage, ToInt8) for stage in stages) else None
    settings = RunSettings(output=folder / name, calibration=calibration)
    with Progress(Console(file=sys.stderr), quiet=True) as progress:
        return convert(folder / f"{name}.pth", (export, *stages), settings, progress, warm=warm)


def sizes_of(outcome: Outcome) -> set[int]:
    return {len(edge.batch_sizes) for edge in outcome.report.edges}


def test_a_segmentation_net_takes_every_picture_in_every_file(folder: Path, warm: WarmHosts) -> None:
    taken, named = PICTURES
    outcome = run(folder, warm, "Segmenter", WHOLE, inputs=(taken,), dynamic=(named,))

    assert outcome.report.verdict is Verdict.PASS
    assert sizes_of(outcome) == {5}
    assert "also at H=24, W=24; H=40, W=48" in outcome.report.samples
    declared = json.loads((outcome.folder / "signature.json").read_text())
    assert len(declared) == 6
    for name, entry in declared.items():
        (image,), (classes,) = entry["signature"]["inputs"], entry["signature"]["outputs"]
        assert image["shape"] == (["N", 3, "H", "W"] if name.endswith(".onnx") else ["N", "H", "W", 3]), name
        assert classes["shape"] == (["N", 4, "H", "W"] if name.endswith(".onnx") else ["N", "H", "W", 4]), name
        assert [axis["least"] for axis in entry["signature"]["axes"]] == [8, 8]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["UNet", "Gated", "SuperResolution"])
def test_a_fully_convolutional_net_takes_every_picture(folder: Path, warm: WarmHosts, name: str) -> None:
    taken, named = PICTURES
    outcome = run(folder, warm, name, WHOLE, inputs=(taken,), dynamic=(named,))

    assert outcome.report.verdict is Verdict.PASS
    assert sizes_of(outcome) == {5}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Waves", {"inputs": ("wave=N,4,32",), "dynamic": ("wave=N,4,T",)}),
        ("Encoder", {"inputs": ("ids=N,T:int64:0..999",)}),
    ],
)
def test_a_sequence_net_takes_every_length_named_here_or_in_its_input(
    folder: Path, warm: WarmHosts, name: str, options: dict[str, tuple[str, ...]]
) -> None:
    outcome = run(folder, warm, name, WHOLE, **options)

    assert outcome.report.verdict is Verdict.PASS
    assert sizes_of(outcome) == {5}


def test_sizes_that_must_be_multiples_are_known_and_kept_to(folder: Path, warm: WarmHosts) -> None:
    taken, named = PICTURES
    outcome = run(folder, warm, "Windows", (), inputs=(taken,), dynamic=(named,))

    assert outcome.report.verdict is Verdict.PASS
    (onnx,) = outcome.report.artifacts
    assert [(axis.name, axis.multiple_of) for axis in onnx.signature.axes] == [("H", 8), ("W", 8)]


def test_a_net_that_takes_one_size_is_refused_with_torchs_reason_and_what_helps(folder: Path, warm: WarmHosts) -> None:
    taken, named = PICTURES
    with pytest.raises(ExportFailed) as caught:
        run(folder, warm, "Flattened", (), inputs=(taken,), dynamic=(named,))

    assert "the model itself fails at H=24, W=24: RuntimeError: mat1 and mat2 shapes cannot be multiplied" in str(
        caught.value
    )
    assert "dynamic_nets.py" in str(caught.value)
    assert "its file runs only at the sizes it was traced with" in str(caught.value)
    assert "adaptive pooling to a fixed size" in str(caught.value)
