"""The nets of the int8 table: each one's float files, and the samples to calibrate and to judge on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from int8_types import key_of

from verify.errors import ExitCode
from verify.report.json import read_json
from verify.report.types import Verdict
from verify.signature import Signature
from verify.signature_file import read_signatures
from verify.task.average_precision import MeanAp
from verify.task.measures import MeanIou, Measure, TopK

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "int8"
sys.path[:0] = [str(ROOT / "tests"), str(EXAMPLE)]

CALIBRATION_CROPS, CROPS = 128, 32
"""Photographs, for nets of random weights: to calibrate on, and to judge on."""


@dataclass(frozen=True)
class Net:
    """A net by name. ``file`` and ``kind`` define a trained one; a torchvision net has neither, and no task."""

    name: str
    file: str = ""
    kind: str = ""
    task: str = ""
    side: int = 32
    outputs: tuple[str, ...] = ("logits",)

    @property
    def measure(self) -> Measure | None:
        """What it is judged by, besides SQNR."""
        return {"digits": TopK(), "masks": MeanIou(), "boxes": MeanAp()}.get(self.task)


TRAINED = (
    Net("plain_cnn", "convolutional.py", "PlainCnn", "digits"),
    Net("resnet", "convolutional.py", "ResNet", "digits"),
    Net("mobilenet_v2", "mobile.py", "MobileNetV2", "digits"),
    Net("mobilenet_v3", "mobile.py", "MobileNetV3", "digits"),
    Net("efficientnet", "mobile.py", "EfficientNet", "digits"),
    Net("repvgg", "convolutional.py", "RepVgg", "digits"),
    Net("densenet", "convolutional.py", "DenseNet", "digits"),
    Net("vit_tiny", "sequences.py", "VitTiny", "digits"),
    Net("row_gru", "sequences.py", "RowGru", "digits"),
    Net("unet", "spatial.py", "UNet", "masks"),
    Net("detector", "spatial.py", "Detector", "boxes", 64, ("boxes", "scores")),
)
TORCHVISION = tuple(
    Net(f"torchvision:{name}")
    for name in ("resnet18", "resnet50", "shufflenet_v2_x1_0", "mobilenet_v2", "mnasnet1_0", "efficientnet_b0")
)
NETS = (*TRAINED, *TORCHVISION)


@dataclass(frozen=True)
class Prepared:
    """Where a net's float files lie, and its samples. Those that judge have ``truth`` beside ``image`` where there is a
    task: ``evaluation`` is for the table, ``search`` for an accuracy budget to look at.
    """

    net: Net
    folder: Path
    calibration: Path
    evaluation: Path
    search: Path

    @property
    def float32(self) -> Path:
        """The float TFLite file."""
        return self._made("_float32.tflite")

    @property
    def saved_model(self) -> Path:
        """The SavedModel that it was compiled from."""
        return self._made("_saved_model")

    def _made(self, suffix: str) -> Path:
        (found,) = (self.folder / "convert").glob(f"*{suffix}")
        return found

    @cached_property
    def signature(self) -> Signature:
        """The float file's, with layouts."""
        return read_signatures(self.float32.parent)[self.float32.name].signature

    @property
    def key(self) -> str:
        """Changes with the float file and the samples."""
        return key_of([self.float32, self.calibration, self.evaluation, self.search])


def prepare(net: Net, folder: Path) -> Prepared:
    """Train or build the net, write its samples and convert it to float, unless all of that is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    make = _trained if net.file else _of_torchvision
    checkpoint, *samples = make(net, folder)
    done, key = folder / "convert.key", key_of([checkpoint], ROOT / "convert")
    if not done.is_file() or done.read_text() != key:
        _convert(net, checkpoint, folder / "convert")
        done.write_text(key)
    return Prepared(net, folder, *samples)


def _trained(net: Net, folder: Path) -> tuple[Path, ...]:
    nets = folder.parent / "trained"
    checkpoint, done = nets / f"{net.name}.pth", folder / "train.key"
    samples = [nets / f"{net.task}_{part}.npz" for part in ("calibration", "evaluation", "search")]
    sources = [EXAMPLE / name for name in (net.file, "learning.py", "scenes.py", "int8_subjects.py")]
    key = key_of([*sources, EXAMPLE.parent / "digits" / "net.py"])
    if not done.is_file() or done.read_text() != key:
        checkpoint.unlink(missing_ok=True)
    if not all(path.is_file() for path in (checkpoint, *samples)):
        _run([sys.executable, str(EXAMPLE / "train.py"), net.name, "--folder", str(nets)])
        done.write_text(key)
    return checkpoint, *samples


def _of_torchvision(net: Net, folder: Path) -> tuple[Path, ...]:
    from zoo import make_checkpoint, photo_crops

    from verify.worker import Worker

    name = net.name.partition(":")[2]
    checkpoint = folder / f"{name}.pth"
    if not checkpoint.is_file():
        with Worker("torch", log_path=folder / "make.log") as worker:
            worker.run(make_checkpoint, name=name, folder=folder, classes=10, legacy_keys=False)
    files = [folder / f"{part}.npz" for part in ("calibration", "evaluation", "search")]
    for seed, (path, count) in enumerate(zip(files, (CALIBRATION_CROPS, CROPS, CROPS), strict=True), start=1):
        if not path.is_file():
            np.savez(path, image=photo_crops(count, 224, seed))
    return checkpoint, *files


def _convert(net: Net, checkpoint: Path, out: Path) -> None:
    command = [sys.executable, "-m", "convert", "pth2tflite", str(checkpoint), "--output", str(out), "--quiet"]
    if net.file:
        command += ["--arch", f"{EXAMPLE / net.file}:{net.kind}", "--input", f"image=N,1,{net.side},{net.side}"]
        command += [word for name in net.outputs for word in ("--output-name", name)]
    _run(command, accepted=(ExitCode.PASS, ExitCode.PARITY_FAILED))
    made = {each.name: each.verdict for each in read_json(out / "report.json").artifacts}
    if made.get("float32") is not Verdict.PASS:  # float16 may fail: EfficientNet-B0's random weights do not bear it
        raise RuntimeError(f"{net.name}: the float32 file does not agree with PyTorch: see {out / 'report.html'}")


def _run(command: list[str], accepted: tuple[int, ...] = (ExitCode.PASS,)) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in accepted:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
