"""A stage is data: a frozen dataclass whose fields are its options, and so its command-line flags.

A stage takes an artifact and returns an artifact. It is described by JSON and runs in a worker process
(:mod:`verify.worker`), so modules here import no framework at their top. What it requires and ensures is declared on
the class and checked outside it, by :mod:`convert.pipeline`.
"""

from __future__ import annotations

import dataclasses
import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from verify.artifact import Artifact, Format
from verify.jsonio import from_jsonable, to_jsonable
from verify.report.types import Refusal


class Host(StrEnum):
    """Which worker a stage runs in. Torch and TensorFlow never live in one process."""

    TORCH = "torch"
    TENSORFLOW = "tensorflow"
    RUNTIME = "runtime"
    """onnxruntime, LiteRT and the quantizer: no torch, no TensorFlow."""


@dataclass(frozen=True)
class StageResult:
    """What a stage made, and what a person should know about how."""

    artifact: Artifact
    notes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    way: str = ""
    """Which of several ways it took, where it chose itself: ``older``, of torch's exporters."""


@dataclass(frozen=True)
class Stage(ABC):
    """One step of the pipeline. Subclasses are frozen dataclasses; every field is made with :func:`flag`."""

    name: ClassVar[str]
    """Short name, as in reports and errors: ``export``."""
    title: ClassVar[str]
    """What it does, for a person: ``PyTorch → ONNX``."""
    consumes: ClassVar[Format]
    produces: ClassVar[Format]
    host: ClassVar[Host]
    artifact_name: ClassVar[str]
    """The artifact's name in reports and edges: ``onnx``, ``saved_model``, ``float32`` …"""
    suffix: ClassVar[str]
    """What follows the model's stem in the output's file name: ``.onnx``, ``_saved_model``, ``_float32.tflite``."""
    relevant_packages: ClassVar[tuple[str, ...]] = ()
    """Distributions whose versions change what comes out; part of the reuse key."""

    @abstractmethod
    def call(self, artifact: Artifact, out: Path) -> StageResult:
        """Make the artifact at ``out`` (which does not exist yet) from ``artifact``; raises a ``ToolError``."""

    def to_json(self) -> dict[str, Any]:
        """Class and fields, enough to run it in another process."""
        return {"type": f"{type(self).__module__}:{type(self).__qualname__}", "fields": to_jsonable(self)}

    def key(self) -> dict[str, Any]:
        """What of the stage shapes its result: as :meth:`to_json`, less the :func:`scratch_input` fields."""
        data = self.to_json()
        for field in dataclasses.fields(self):
            if field.metadata.get("scratch"):
                del data["fields"][field.name]
        return data


def flag(default: Any, help_text: str, *, cli_name: str | None = None, metavar: str | None = None) -> Any:
    """A dataclass field that is also a command-line flag. ``cli_name`` overrides the field's own name."""
    return dataclasses.field(default=default, metadata={"help": help_text, "cli_name": cli_name, "metavar": metavar})


def scratch_input() -> Any:
    """A field that the pipeline fills with a path of its scratch folder: no flag; its content, not its name, counts."""
    return dataclasses.field(default=None, metadata={"scratch": True})


def stage_from_json(data: dict[str, Any]) -> Stage:
    """The stage that :meth:`Stage.to_json` described."""
    module_name, _, class_name = data["type"].partition(":")
    kind = getattr(importlib.import_module(module_name), class_name)
    stage: Stage = from_jsonable(kind, data["fields"])
    return stage


def run_stage(stage: dict[str, Any], artifact: Artifact, out: Path) -> StageResult:
    """The job that a worker runs: one stage on one artifact."""
    return stage_from_json(stage).call(artifact, out)
