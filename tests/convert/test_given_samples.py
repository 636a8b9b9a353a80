"""Calibration on what no command line names: synthetic inputs, marked everywhere; a DataLoader, hashed by content."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import nets
import numpy as np
import pytest
import torch
from rich.console import Console
from torch.utils.data import DataLoader, TensorDataset

from convert.hosts import WarmHosts
from convert.progress import Progress
from convert.run import Outcome, convert
from convert.settings import RunSettings
from convert.stages.export import ExportOnnx
from convert.stages.lower import OnnxToSavedModel
from convert.stages.quantize import ToInt8
from convert.stages.to_tflite import SavedModelToTflite
from quantize.notes import CALIBRATED_ON_SYNTHETIC
from quantize.recipe import read_recipe
from verify.errors import SamplesInvalid

STAGES = (
    ExportOnnx(arch=f"{nets.__file__}:TinyResNet", inputs=("image=N,3,32,32",)),
    OnnxToSavedModel(),
    SavedModelToTflite(),
    ToInt8(),
)
Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, warm: WarmHosts) -> Run:
    """``run("name", calibration=…, **settings)`` converts to a folder of that name."""
    folder = tmp_path_factory.mktemp("given")
    torch.save(nets.ready(nets.TinyResNet).module.state_dict(), folder / "net.pth")

    def go(name: str, given: Iterable[Any] | None = None, **settings: object) -> Outcome:
        with Progress(Console(file=sys.stderr), quiet=True) as progress:
            chosen = RunSettings(output=folder / name, **settings)
            return convert(folder / "net.pth", STAGES, chosen, progress, warm=warm, calibration=given)

    return go


def images(count: int = 40) -> torch.Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_synthetic_calibration_is_marked_in_everything_that_speaks_of_it(run: Run) -> None:
    made = run("synthetic", calibration="synthetic")
    assert made.report.headline.endswith(f"net_int8.tflite was {CALIBRATED_ON_SYNTHETIC}.")
    assert "Ready to ship" not in made.report.headline
    assert "Calibrate the int8 file on real samples" in made.report.next_steps[0]
    assert made.report.samples == "8 of 32 synthetic inputs, held out from calibration"
    int8 = next(stage for stage in made.report.stages if stage.name == "int8")
    assert int8.notes[:2] == ("calibrated on 24 samples", CALIBRATED_ON_SYNTHETIC)
    assert read_recipe(made.folder / "net.recipe.json").calibration.synthetic
    for name in ("report.json", "report.html"):
        assert CALIBRATED_ON_SYNTHETIC in (made.folder / name).read_text(encoding="utf-8")
    assert run("synthetic", calibration="synthetic").reused


def test_samples_that_are_given_judge_in_place_of_synthetic_ones(run: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "real.npz", image=images(16).numpy())
    made = run("judged", calibration="synthetic", evaluation=str(tmp_path / "real.npz"))
    assert made.report.samples == "16 samples from real.npz"
    assert made.report.headline.endswith(f"{CALIBRATED_ON_SYNTHETIC}.")


def test_a_data_loader_calibrates_and_judges_and_its_content_is_what_counts(run: Run) -> None:
    labelled = TensorDataset(images(), torch.zeros(40))
    made = run("loader", DataLoader(labelled, batch_size=16))
    assert made.report.samples == "10 of 40 samples of a DataLoader, held out from calibration"
    recipe = read_recipe(made.folder / "net.recipe.json")
    assert (recipe.calibration.sample_count, recipe.calibration.synthetic) == (30, False)
    again = run("loader", (image.numpy() for image in images()))
    assert [stage.reused for stage in again.report.stages] == [True] * 4
    other = run("loader", [images(20)])
    assert [stage.reused for stage in other.report.stages] == [True, True, True, False]


def test_a_loader_that_does_not_fit_is_refused_by_name(run: Run) -> None:
    with pytest.raises(SamplesInvalid, match=r"list, item 0: input image takes \(samples, 3, 32, 32\)"):
        run("unfit", [torch.zeros(2, 1, 28, 28)])


@pytest.mark.parametrize(
    ("command", "file"), [(("convert", "onnx2tflite"), "net.onnx"), (("quantize",), "net_float32.tflite")]
)
def test_without_a_checkpoint_nothing_can_be_distilled(command: tuple[str, ...], file: str, run: Run) -> None:
    folder = run("synthetic", calibration="synthetic").folder
    arguments = [sys.executable, "-m", *command, file, "--calib", "synthetic", "-o", "out"]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "start from the checkpoint: convert pth2tflite MODEL.pth --calib synthetic" in done.stderr
