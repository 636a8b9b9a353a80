from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quantize import quantize
from quantize.calibration.sources import are_batches_already
from quantize.recipe import read_recipe
from verify.batches import batch_paths, read_batch
from verify.errors import SamplesInvalid
from verify.samples.iterable_samples import write_iterable
from verify.samples.source import ArrayFile, ImageFolder
from verify.samples.spec import InputSpec
from verify.samples.write import write_calibration

IMAGE = (InputSpec("image", ("N", 3, 4, 4)),)


def photos(folder: Path, counts: dict[str, int], size: int = 20) -> Path:
    random = np.random.default_rng(0)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            pixels = random.integers(0, 256, (size, size, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index:03d}.png")
    return folder


class Endless:
    """Gives batches of two with labels, and counts what was asked of it."""

    def __init__(self) -> None:
        self.given = 0

    def __iter__(self):
        while True:
            self.given += 1
            yield np.full((2, 3, 4, 4), self.given, np.float32), np.zeros(2, np.int64)


class MapStyle:
    """As a torch ``Dataset``: items by number, and how many there are."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int):
        return np.full((3, 4, 4), index, np.float32), index


def written(samples, tmp_path, max_samples: int = 5) -> list[np.ndarray]:
    count = write_iterable(samples, IMAGE, tmp_path, max_samples)
    arrays = [read_batch(path)["image"] for path in batch_paths(tmp_path)]
    assert len(arrays) == count
    return arrays


def test_of_an_endless_loader_only_what_is_needed_is_read(tmp_path):
    loader = Endless()
    assert [array[0, 0, 0, 0] for array in written(loader, tmp_path)] == [1, 1, 2, 2, 3]
    assert loader.given == 3


def test_a_map_style_dataset_is_read_by_number_and_labels_are_left_out(tmp_path):
    assert [array.shape for array in written(MapStyle(), tmp_path)] == [(1, 3, 4, 4)] * 3


def test_a_batch_that_does_not_fit_is_named(tmp_path):
    with pytest.raises(SamplesInvalid, match=r"list, item 1: input image takes \(samples, 3, 4, 4\)"):
        written([np.zeros((1, 3, 4, 4)), np.zeros((1, 5, 5, 3))], tmp_path)


def test_an_empty_loader_is_refused(tmp_path):
    with pytest.raises(SamplesInvalid, match="the list gave no sample"):
        written([], tmp_path)


@pytest.mark.parametrize(("counts", "uneven"), [({"cat": 8, "dog": 2}, True), ({"cat": 5, "dog": 4}, False)])
def test_classes_that_are_not_even_are_named(counts, uneven, tmp_path):
    source = ImageFolder(photos(tmp_path / "photos", counts))
    made = write_calibration(source=source, inputs=IMAGE, folder=tmp_path / "out", hold_out=False)
    reasons = [each.reason for each in made.refusals]
    assert reasons == (["classes are not even: 8 images are of cat/, 2 of dog/"] if uneven else [])


def test_an_image_folder_calibrates_a_channels_last_file(float_models, tmp_path):
    """Nothing is declared beside the file; images are scaled and normalised as the options say."""
    folder = photos(tmp_path / "photos", {"cat": 12, "dog": 3}, size=16)
    model = float_models / "mixed.tflite"
    command = [sys.executable, "-m", "quantize", str(model), "--calib", str(folder), "-o", "net_int8.tflite"]
    command += ["--mean", "0.5,0.5,0.5", "--std", "0.25", "--ranges", "minmax", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    notes = json.loads(done.stdout)["notes"]
    assert "photos: classes are not even: 12 images are of cat/, 3 of dog/" in notes
    ranges = {each.tensor: each for each in read_recipe(tmp_path / "net.recipe.json").calibration.ranges}
    image = next(each for name, each in ranges.items() if "image" in name)
    assert (image.low, image.high) == pytest.approx((-2, 2), abs=0.1)


def test_from_python_a_loader_calibrates(float_models, tmp_path):
    random = np.random.default_rng(0)
    loader = ((random.normal(size=(4, 16, 16, 3)).astype(np.float32), None) for _ in range(100))
    made = quantize(float_models / "mixed.tflite", calib=loader, output=tmp_path / "int8.tflite", max_samples=20)
    assert made.artifact.path == tmp_path / "int8.tflite"
    assert made.result.recipe.calibration.sample_count == 20
    assert made.artifact.signature.input("image").dtype == "int8"


def test_default_ranges_are_marked_as_not_for_use(float_models, tmp_path):
    command = [sys.executable, "-m", "quantize", str(float_models / "mixed.tflite"), "--default-ranges", "-1,1"]
    done = subprocess.run(
        [*command, "-o", "fast_int8.tflite"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "NOT FOR USE" in done.stdout
    recipe = read_recipe(tmp_path / "fast.recipe.json")
    assert (recipe.calibration.method, recipe.calibration.sample_count) == ("given", 0)
    assert {(each.low, each.high) for each in recipe.calibration.ranges} == {(-1, 1)}


@pytest.mark.parametrize("text", ["1,-1", "0,0", "1,2", "-1", "a,b", "-inf,1"])
def test_default_ranges_are_two_numbers_around_zero(text, float_models, tmp_path):
    command = [sys.executable, "-m", "quantize", str(float_models / "mixed.tflite"), "--default-ranges", text]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--default-ranges" in done.stderr


@pytest.mark.parametrize(
    ("arrays", "in_place"),
    [
        ({"image": np.zeros((5, 3, 4, 4), np.float32)}, True),
        ({"image": np.zeros((6, 3, 4, 4), np.float32)}, False),
        ({"image": np.zeros((5, 3, 4, 4))}, False),
        ({"photo": np.zeros((5, 3, 4, 4), np.float32)}, False),
        ({"image": np.zeros((5, 3, 4, 4), np.float32), "truth": np.zeros(3)}, False),
    ],
    ids=["as the model takes them", "more than wanted", "float64", "another name", "with labels"],
)
def test_samples_that_are_as_the_model_takes_them_are_read_in_place(arrays, in_place, tmp_path):
    np.savez(tmp_path / "data.npz", **arrays)
    assert are_batches_already(ArrayFile(tmp_path / "data.npz"), IMAGE, 5) is in_place


def test_a_sample_with_nan_is_refused_before_it_is_read_in_place(tmp_path):
    images = np.zeros((5, 3, 4, 4), np.float32)
    images[3, 1, 2, 0] = np.nan
    np.savez(tmp_path / "data.npz", image=images)
    with pytest.raises(SamplesInvalid, match="sample 3: input image has NaN or infinite values"):
        are_batches_already(ArrayFile(tmp_path / "data.npz"), IMAGE, 5)
