"""A job's body, in real workers: what it makes, what it reuses, what it says is wrong."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from same_results import differences, normalised

from convert.hosts import WarmHosts
from convert.settings import RunSettings
from convert.stages.export import ExportOnnx
from convert.zoo.conversion import convert_model
from convert.zoo.job import Budgets, Job, ModelTask, Source, SourceKind, Target
from convert.zoo.keys import job_key
from convert.zoo.result import Conversion, Outcome, StoredFile
from convert.zoo.sources import HashMemo, SourceChanged, source_key
from convert.zoo.store import open_store
from convert.zoo.store.content import blob_path
from verify.errors import ExportFailed, SamplesInvalid
from verify.jsonio import to_jsonable

TESTS = Path(__file__).parents[2]
MAKE = """
import sys, torch
sys.path.insert(0, sys.argv[1])
import nets
torch.save(nets.ready(nets.LeNet).module.state_dict(), "lenet-1998.pth")
"""
HOPELESS = """
import nets, torch
class Net(nets.LeNet):
    def forward(self, image):
        print("last words", file=__import__("sys").stderr)
        return torch.special.bessel_j0(super().forward(image))
"""
TASK = ModelTask(
    Source(SourceKind.FILE, "lenet-1998.pth"),
    "lenet",
    targets=(Target.FLOAT32, Target.INT8),
    export=ExportOnnx(arch="nets.py:LeNet", inputs=("image=N,1,28,28",)),
    settings=RunSettings(calibration="calibration.npz"),
)

COLD = WarmHosts()


@dataclasses.dataclass(frozen=True)
class Zoo:
    """A folder of inputs, a store, and a place to work in."""

    folder: Path
    store: str
    scratch: Path

    def run(self, task: ModelTask, name: str, warm: WarmHosts = COLD) -> Conversion:
        scratch = self.scratch / name
        scratch.mkdir(parents=True)
        return convert_model(self.job(task, scratch), warm, scratch)

    def job(self, task: ModelTask, scratch: Path) -> Job:
        with HashMemo(self.scratch / "hashes.json") as hashes:
            source = source_key(task.source, self.folder, hashes)
            key = job_key(task, source, self.folder, hashes)
        return Job("net", key, task, self.folder, scratch, self.store, source_key=source)

    def checkout(self, conversion: Conversion, folder: Path) -> Path:
        for file in conversion.files:
            (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
            open_store(self.store).get_file(file, folder / file.path)
        return folder


def calibrate(folder: Path, seed: int) -> None:
    images = np.random.default_rng(seed).random((40, 1, 28, 28), dtype=np.float32)
    np.savez(folder / "calibration.npz", image=images)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    subprocess.run([sys.executable, "-c", MAKE, str(TESTS)], cwd=folder, check=True)
    shutil.copy(TESTS / "nets.py", folder)
    (folder / "hopeless.py").write_text(HOPELESS)
    calibrate(folder, seed=0)
    return folder


@pytest.fixture(scope="module")
def make_zoo(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Zoo]:
    def make() -> Zoo:
        place = tmp_path_factory.mktemp("zoo")
        shutil.copytree(inputs, place / "inputs")
        return Zoo(place / "inputs", str(place / "store"), place / "scratch")

    return make


@pytest.fixture(scope="module")
def first(make_zoo: Callable[[], Zoo]) -> tuple[Zoo, Conversion]:
    """The first conversion of a zoo; further ones run in the same zoo."""
    zoo = make_zoo()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(zoo.folder)
        return zoo, zoo.run(TASK, "first")


def stored(conversion: Conversion, name: str) -> StoredFile:
    return next(file for file in conversion.files if file.path == name)


def test_it_makes_what_was_asked_for_and_keeps_the_whole_folder(first: tuple[Zoo, Conversion], tmp_path: Path) -> None:
    zoo, conversion = first
    assert (conversion.outcome, conversion.reused_stages) == (Outcome.OK, ())
    assert [target.name for target in conversion.targets] == ["float32", "int8"]
    assert all(target.sqnr_db is not None and target.sqnr_db > 30 for target in conversion.targets)
    names = {path.name for path in zoo.checkout(conversion, tmp_path / "lenet").iterdir()}
    assert names == {
        "lenet.onnx",
        "lenet_saved_model",
        "lenet_float32.tflite",
        "lenet_int8.tflite",
        "lenet.recipe.json",
        "lenet.anatomy.json",
        "signature.json",
        "report.json",
        "report.html",
        "run.log",
        ".reuse.json",
    }


def test_the_same_job_in_another_folder_and_in_warm_processes_gives_the_same_bytes(
    first: tuple[Zoo, Conversion],
    make_zoo: Callable[[], Zoo],
    warm: WarmHosts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    zoo, conversion = first
    other = make_zoo()
    monkeypatch.chdir(other.folder)
    again = other.run(TASK, "first", warm)
    mine, others = (to_jsonable(each) for each in (conversion, again))
    assert normalised(mine) == normalised(others)
    assert differences(zoo.checkout(conversion, tmp_path / "one"), other.checkout(again, tmp_path / "two")) == []


def test_nothing_it_makes_names_where_it_was_made(first: tuple[Zoo, Conversion], tmp_path: Path) -> None:
    zoo, conversion = first
    folder = zoo.checkout(conversion, tmp_path / "lenet")
    here = str(zoo.folder.parent).encode()
    assert [path.name for path in folder.rglob("*") if path.is_file() and here in path.read_bytes()] == []
    assert str(Path(sys.prefix)).encode() not in (folder / "lenet.onnx").read_bytes()


def test_other_calibration_remakes_the_int8_file_only_under_whatever_name(
    first: tuple[Zoo, Conversion], warm: WarmHosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo, conversion = first
    folder = tmp_path / "inputs"
    shutil.copytree(zoo.folder, folder)
    calibrate(folder, seed=1)
    changed = dataclasses.replace(zoo, folder=folder)
    monkeypatch.chdir(folder)
    budgets = Budgets(max_size_bytes={Target.INT8: 70_000})
    again = changed.run(dataclasses.replace(TASK, stem="digits", budgets=budgets), "calibrated", warm)
    assert again.reused_stages == ("export", "lower", "tflite")
    float32 = stored(again, "digits_float32.tflite")
    assert float32.sha256 == stored(conversion, "lenet_float32.tflite").sha256
    assert stored(again, "digits_int8.tflite").sha256 != stored(conversion, "lenet_int8.tflite").sha256
    assert not any(file.path.startswith("lenet") for file in again.files)
    assert again.outcome is Outcome.BUDGET
    assert "at most 70,000 are allowed" in again.targets[1].why
    assert again.headline.startswith("Do not ship: digits_int8.tflite has ")


def test_a_damaged_file_in_the_store_is_made_again_and_a_reused_result_is_the_same(
    first: tuple[Zoo, Conversion], warm: WarmHosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo, conversion = first
    float32 = stored(conversion, "lenet_float32.tflite")
    blob = Path(zoo.store) / blob_path(float32.sha256)
    blob.chmod(0o644)
    blob.write_bytes(b"x" * float32.size_bytes)
    monkeypatch.chdir(zoo.folder)
    again = zoo.run(TASK, "healed", warm)
    assert again.reused_stages == ("export", "lower", "int8")
    assert differences(zoo.checkout(conversion, tmp_path / "one"), zoo.checkout(again, tmp_path / "two")) == []


def test_a_failed_conversion_prints_its_log_and_names_no_file_that_will_be_gone(
    first: tuple[Zoo, Conversion],
    warm: WarmHosts,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    zoo, _ = first
    monkeypatch.chdir(zoo.folder)
    export = dataclasses.replace(TASK.export, arch="hopeless.py:Net")
    with pytest.raises(ExportFailed, match="bessel_j0") as raised:
        zoo.run(dataclasses.replace(TASK, export=export, targets=(Target.ONNX,)), "hopeless", warm)
    assert "last words" in capsys.readouterr().out
    assert str(zoo.scratch) not in str(raised.value)


def test_a_job_whose_samples_changed_since_it_was_planned_is_not_run(
    make_zoo: Callable[[], Zoo], monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = make_zoo()
    job = zoo.job(TASK, zoo.scratch)
    calibrate(zoo.folder, seed=2)
    monkeypatch.chdir(zoo.folder)
    zoo.scratch.mkdir(exist_ok=True)
    with pytest.raises(SourceChanged, match="what it was when this job was planned"):
        convert_model(job, COLD, zoo.scratch)


def test_int8_without_calibration_is_bad_input(make_zoo: Callable[[], Zoo], monkeypatch: pytest.MonkeyPatch) -> None:
    zoo = make_zoo()
    monkeypatch.chdir(zoo.folder)
    with pytest.raises(SamplesInvalid, match="needs calibration samples"):
        zoo.run(dataclasses.replace(TASK, settings=RunSettings()), "uncalibrated")
