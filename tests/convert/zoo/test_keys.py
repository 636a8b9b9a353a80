"""A job's key changes with everything that shapes its result, and with nothing else."""

from __future__ import annotations

import dataclasses
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from convert.settings import RunSettings
from convert.stages.export import ExportOnnx
from convert.stages.lower import OnnxToSavedModel
from convert.stages.quantize import ToInt8
from convert.zoo.job import Budgets, ModelTask, Source, SourceKind, Target
from convert.zoo.keys import OneLook, job_key
from convert.zoo.sources import HashMemo
from convert.zoo.stages import stages_for
from quantize.recipe import IoOption
from verify.worker import Limits

SOURCE = "ab" * 32
TASK = ModelTask(
    Source(SourceKind.FILE, "net.pth"),
    "net",
    export=ExportOnnx(arch="net.py:Net"),
    settings=RunSettings(calibration="photos", evaluation="data.py:digits"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    zoo = tmp_path / "zoo"
    (zoo / "photos").mkdir(parents=True)
    (zoo / "photos" / "one.png").write_bytes(b"pixels")
    (zoo / "net.py").write_text("class Net: ...")
    (zoo / "data.py").write_text("def digits(): ...")
    return zoo


def key(task: ModelTask, folder: Path, source: str = SOURCE) -> str:
    return job_key(task, source, folder, HashMemo(folder.parent / "hashes.json"))


def with_settings(**changes: object) -> ModelTask:
    return dataclasses.replace(TASK, settings=dataclasses.replace(TASK.settings, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "task",
    [
        dataclasses.replace(TASK, stem="other"),
        dataclasses.replace(TASK, targets=(Target.FLOAT32, Target.INT8)),
        dataclasses.replace(TASK, export=ExportOnnx(arch="net.py:Net", opset=18)),
        dataclasses.replace(TASK, export=ExportOnnx(arch="net.py:Other")),
        dataclasses.replace(TASK, lower=OnnxToSavedModel(lowering="onnx2tf")),
        dataclasses.replace(TASK, int8=ToInt8(int8_io=IoOption.UINT8)),
        dataclasses.replace(TASK, budgets=Budgets(max_size_bytes={Target.INT8: 1})),
        dataclasses.replace(TASK, budgets=Budgets(min_top1_agreement={Target.INT8: 0.9})),
        with_settings(seed=1),
        with_settings(max_judging=8),
        with_settings(int8_min_sqnr_db=20.0),
        with_settings(calibration="random"),
        with_settings(evaluation=None),
        with_settings(evaluation="data.py:photos"),
    ],
)
def test_every_option_that_shapes_the_result_is_in_the_key(folder: Path, task: ModelTask) -> None:
    assert key(task, folder) != key(TASK, folder)


@pytest.mark.parametrize("name", ["net.py", "data.py", "photos/one.png", "photos/two.png"])
def test_the_content_of_every_file_that_a_job_reads_is_in_the_key(folder: Path, name: str) -> None:
    before = key(TASK, folder)
    (folder / name).write_text("something else")
    assert key(TASK, folder) != before


def test_the_checkpoint_is_in_the_key(folder: Path) -> None:
    assert key(TASK, folder, source="cd" * 32) != key(TASK, folder)


@pytest.mark.parametrize(
    "task",
    [
        with_settings(limits=Limits(timeout_s=5)),
        with_settings(command="convert zoo"),
        with_settings(output=Path("out")),
        dataclasses.replace(TASK, source=Source(SourceKind.FILE, "moved/net.pth")),
        dataclasses.replace(TASK, targets=TASK.targets[::-1]),
    ],
)
def test_what_does_not_shape_the_result_is_not_in_the_key(folder: Path, task: ModelTask) -> None:
    assert key(task, folder) == key(TASK, folder)


def test_options_of_a_stage_that_is_not_run_are_not_in_the_key(folder: Path) -> None:
    float_only = dataclasses.replace(TASK, targets=(Target.FLOAT32,))
    other = dataclasses.replace(float_only, int8=ToInt8(max_samples=3))
    assert key(other, folder) == key(float_only, folder)


def test_the_same_zoo_elsewhere_has_the_same_keys(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key(TASK, folder)
    shutil.move(folder, tmp_path / "elsewhere")
    monkeypatch.chdir("/")
    assert key(TASK, tmp_path / "elsewhere") == before


def test_samples_that_are_not_there_yet_change_the_key_when_they_come(folder: Path) -> None:
    task = with_settings(calibration="later.npz")
    before = key(task, folder)
    np.savez(folder / "later.npz", image=np.zeros((4, 1, 28, 28), np.float32))
    assert key(task, folder) != before


def test_a_thousand_keys_over_one_large_folder_take_two_seconds_the_second_time(folder: Path) -> None:
    for number in range(200):
        (folder / "photos" / f"{number}.png").write_bytes(bytes([number]) * 100_000)
    tasks = [dataclasses.replace(TASK, stem=f"net{number}") for number in range(1000)]
    time.sleep(2.1)  # younger files are not remembered: they may change again within the same tick of the clock
    with HashMemo(folder.parent / "hashes.json") as hashes:
        first = job_key(tasks[0], SOURCE, folder, hashes)
    started = time.process_time()
    with HashMemo(folder.parent / "hashes.json") as hashes:
        shared = OneLook(hashes)
        keys = [job_key(task, SOURCE, folder, shared) for task in tasks]
    took = time.process_time() - started
    assert keys[0] == first
    assert len(set(keys)) == 1000
    assert took < 2, f"{took:.2f} s"


@pytest.mark.parametrize(
    ("targets", "stages"),
    [
        ((Target.ONNX,), ["export"]),
        ((Target.SAVED_MODEL,), ["export", "lower"]),
        ((Target.FLOAT32, Target.ONNX), ["export", "lower", "tflite"]),
        ((Target.INT8,), ["export", "lower", "tflite", "int8"]),
        ((Target.FLOAT16, Target.DYNAMIC_INT8), ["export", "lower", "tflite", "float16", "dynamic_int8"]),
        ((), []),
    ],
)
def test_only_stages_that_the_targets_need_are_run(targets: tuple[Target, ...], stages: list[str]) -> None:
    assert [stage.name for stage in stages_for(dataclasses.replace(TASK, targets=targets))] == stages
