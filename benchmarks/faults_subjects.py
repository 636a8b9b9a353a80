"""What ``make faults`` works on: small nets of two zoos, converted by the command; files stay below ``build/``."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from coverage_rows import read_zoo
from coverage_systems import write_checkpoints

from convert.zoo.plan import Zoo
from verify.chain.settings import ChainSettings
from verify.errors import ExitCode
from verify.model import ModelSource

ROOT = Path(__file__).parent.parent
MANIFESTS = (ROOT / "benchmarks" / "faults" / "nets.toml", ROOT / "benchmarks" / "coverage" / "systems.toml")

FAULTY = (
    "le_net5",
    "alex_net_with_lrn",
    "tiny_res_net",
    "tiny_mobile_net",
    "dict_output_net",
    "u_net",
    "token_net",
    "gru_classifier",
    "yolo_head",
)
"""The models that get faults: convolutions, norms, depthwise ones, several outputs, resizing, attention, recurrence."""


@dataclass(frozen=True)
class Subject:
    """A converted model. ``int8`` is ``None`` where it has no such file."""

    name: str
    checkpoint: Path
    onnx: Path
    float32: Path
    int8: Path | None
    settings: ChainSettings


def convert_all(output: Path) -> None:
    """Convert what is not there yet or is of other code; the zoo's own report has what cannot be converted."""
    output.mkdir(parents=True, exist_ok=True)
    for manifest in MANIFESTS:
        zoo = read_zoo(manifest)
        write_checkpoints(zoo, output / "checkpoints.log")
        command = [sys.executable, "-m", "convert", "zoo", "run", str(manifest), "-o", str(output / zoo.name)]
        done = subprocess.run([*command, "--jobs", "1"], check=False, stdout=subprocess.DEVNULL)
        if done.returncode == ExitCode.BAD_INPUT:
            raise SystemExit(done.returncode)


def subjects(output: Path) -> tuple[Subject, ...]:
    """The models whose float files are there."""
    found = []
    for manifest in MANIFESTS:
        zoo = read_zoo(manifest)
        found += [subject_of(zoo, model.id, output / zoo.name / "models" / model.id) for model in zoo.models]
    return tuple(subject for subject in found if subject is not None)


def subject_of(zoo: Zoo, name: str, folder: Path) -> Subject | None:
    """A converted model of a zoo; ``None`` where its float files are not there."""
    (task,) = (model.task for model in zoo.models if model.id == name)
    onnx, float32 = (next(iter(sorted(folder.glob(pattern))), None) for pattern in ("*.onnx", "*_float32.tflite"))
    if onnx is None or float32 is None:
        return None
    int8 = float32.with_name(float32.name.replace("_float32", "_int8"))
    checkpoint = zoo.folder / task.source.location
    place, _, kind = (task.export.arch or "").rpartition(":")
    source = ModelSource(
        checkpoint, arch=f"{zoo.folder / place}:{kind}", arch_args=task.export.arch_args, inputs=task.export.inputs
    )
    settings = ChainSettings(checkpoint=source, max_samples=32)
    return Subject(name, checkpoint, onnx, float32, int8 if int8.is_file() else None, settings)
