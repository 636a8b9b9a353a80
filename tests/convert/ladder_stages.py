"""Lowerings that go wrong on purpose, for the ladder to find out. They run in workers, as the real one does."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from convert.stages.base import StageResult, flag
from convert.stages.lower import OnnxToSavedModel
from verify.artifact import Artifact
from verify.errors import UnsupportedOp


@dataclass(frozen=True)
class Lying(OnnxToSavedModel):
    """The exact lowering of other weights; ``diary`` is a file that says which lowerings were asked for."""

    diary: str = flag("", "A file.")

    def call(self, artifact: Artifact, out: Path) -> StageResult:
        with Path(self.diary).open("a") as diary:
            diary.write(f"{self.lowering}\n")
        if self.lowering == "exact":
            artifact = replace(artifact, path=_with_other_weights(artifact.path, out.with_suffix(".onnx")))
            result = super().call(artifact, out)
            artifact.path.unlink()
            return result
        return self.second(artifact, out)

    def second(self, artifact: Artifact, out: Path) -> StageResult:
        """What onnx2tf does."""
        return super().call(artifact, out)


@dataclass(frozen=True)
class LyingThenHanging(Lying):
    """onnx2tf never comes back."""

    def second(self, artifact: Artifact, out: Path) -> StageResult:
        time.sleep(600)
        raise AssertionError


@dataclass(frozen=True)
class LyingThenExiting(Lying):
    """onnx2tf ends the process, as it does."""

    def second(self, artifact: Artifact, out: Path) -> StageResult:
        out.mkdir()
        (out / "half").touch()
        os._exit(1)


@dataclass(frozen=True)
class Refusing(OnnxToSavedModel):
    """Neither way is known."""

    def call(self, artifact: Artifact, out: Path) -> StageResult:
        raise UnsupportedOp(f"no {self.lowering} lowering for Frobnicate", fix="wait")


def _with_other_weights(path: Path, target: Path) -> Path:
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if numpy_helper.to_array(tensor).dtype == "float32":
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 1.1, tensor.name))
    onnx.save(model, target)
    return target
