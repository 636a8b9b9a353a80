"""A job: one model of a zoo, and everything that what is made of it depends on.

A job is a JSON file. Whoever runs it, on whatever machine, gives the same result: ``job.json → child process →
result.json``. Nothing but that file, the store and the files that the job names reaches the child.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from convert.settings import RunSettings
from convert.stages.export import ExportOnnx
from convert.stages.lower import OnnxToSavedModel
from convert.stages.quantize import ToInt8

MIB = 2**20
GIB = 2**30


class Target(StrEnum):
    """The files a job can be asked for; those before it in the pipeline are made too."""

    ONNX = "onnx"
    SAVED_MODEL = "saved_model"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    DYNAMIC_INT8 = "dynamic_int8"
    INT8 = "int8"


class SourceKind(StrEnum):
    """Ways to name a checkpoint."""

    FILE = "file"
    URL = "url"
    """Anything fsspec opens: ``https://``, ``s3://``, ``gs://`` …"""
    TORCHVISION = "torchvision"
    TIMM = "timm"
    HUGGING_FACE = "hugging_face"


@dataclass(frozen=True)
class Source:
    """Where a checkpoint comes from.

    ``location`` is a path, a URL, an architecture's name, or ``org/repo/file@revision`` on Hugging Face.
    """

    kind: SourceKind
    location: str
    sha256: str | None = None
    """What the bytes must hash to, where the manifest says."""
    weights: str = ""
    """For an architecture by name: ``random`` (seeded), or the name of published weights (``DEFAULT``)."""
    seed: int = 0
    arch_args: tuple[tuple[str, str], ...] = ()
    """For an architecture by name: what its constructor is given, as ``ExportOnnx`` has it."""
    inputs: tuple[str, ...] = ()
    """For an architecture by name: its inputs, where they are not its own; random weights are settled on such."""


@dataclass(frozen=True)
class JobLimits:
    """What one job may use, all its processes together; passing one of these ends it."""

    timeout_s: float = 1800.0
    memory_bytes: int = 6 * GIB
    processes: int = 48
    log_bytes: int = 16 * MIB


@dataclass(frozen=True)
class Budgets:
    """What a target must keep, beyond parity; by target. The int8 SQNR budget is one of the run's own settings."""

    max_size_bytes: dict[Target, int] = field(default_factory=dict)
    min_top1_agreement: dict[Target, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelTask:
    """What to convert, and how: the stages' own options, as ``convert pth2tflite`` takes them."""

    source: Source
    stem: str
    """What the files are called before their suffix: ``resnet18`` in ``resnet18_int8.tflite``."""
    targets: tuple[Target, ...] = tuple(Target)
    export: ExportOnnx = field(default_factory=ExportOnnx)
    lower: OnnxToSavedModel = field(default_factory=OnnxToSavedModel)
    int8: ToInt8 = field(default_factory=ToInt8)
    settings: RunSettings = field(default_factory=RunSettings)
    budgets: Budgets = field(default_factory=Budgets)


@dataclass(frozen=True)
class Job:
    """One model's conversion. ``key`` is the content address of its result, ``id`` its name in the zoo.

    Relative paths in the task resolve against ``folder``, where the child stands. ``scratch`` is where it may write;
    everything below it is gone afterwards. What it makes goes to ``store`` (a folder or an fsspec URL).
    """

    id: str
    key: str
    task: ModelTask
    folder: Path
    scratch: Path
    store: str
    source_key: str = ""
    """The content address of the checkpoint, as it was when the job was planned."""
    limits: JobLimits = field(default_factory=JobLimits)
    cores: int = 1
    attempt: int = 1
    body: str = "convert.zoo.conversion:convert_model"
    """What the child calls, as ``module:name``: ``(job: Job, warm: WarmHosts, scratch: Path) -> Conversion``."""
