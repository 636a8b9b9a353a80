"""ONNX → SavedModel, op by op as ONNX defines them, or through onnx2tf."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from convert.stages.base import Host, Stage, StageResult, flag
from verify.artifact import Artifact, Format, sha256_of
from verify.errors import InputSpecInvalid
from verify.report.types import Refusal

if TYPE_CHECKING:
    from convert.rewrites import RewriteNote

LOWERINGS = ("auto", "exact", "onnx2tf")


@dataclass(frozen=True)
class OnnxToSavedModel(Stage):
    """Weights become variables, the batch axis stays dynamic, names stay ONNX's.

    A run decides on ``auto`` (:mod:`convert.ladder`); the stage alone takes it for ``exact``.

    Raises ``UnsupportedOp`` (``lowering="exact"``) naming every op that has no exact lowering and where it comes from.
    """

    name: ClassVar[str] = "lower"
    title: ClassVar[str] = "ONNX → SavedModel"
    consumes: ClassVar[Format] = Format.ONNX
    produces: ClassVar[Format] = Format.SAVED_MODEL
    host: ClassVar[Host] = Host.TENSORFLOW
    artifact_name: ClassVar[str] = "saved_model"
    suffix: ClassVar[str] = "_saved_model"
    relevant_packages: ClassVar[tuple[str, ...]] = ("tensorflow", "onnx", "onnx-ir", "onnx2tf")

    lowering: str = flag(
        "auto",
        "exact: op by op as ONNX defines them; onnx2tf: through that library; auto: exact, and onnx2tf where exact "
        "refuses or parity fails",
        metavar="|".join(LOWERINGS),
    )
    layout: tuple[str, ...] = flag(
        (),
        "an input or output that keeps PyTorch's axis order, as NAME=NCHW; image-like ones are channels-last otherwise",
    )

    def call(self, artifact: Artifact, out: Path) -> StageResult:
        """Write the SavedModel folder at ``out``."""
        if self.lowering not in LOWERINGS:
            raise InputSpecInvalid(
                f"--lowering {self.lowering!r} is none of {', '.join(LOWERINGS)}", fix="use one of them"
            )
        if self.lowering == "onnx2tf":
            return _through_onnx2tf(artifact, out, self.layout)
        return _exactly(artifact, out, self.layout)


def _exactly(artifact: Artifact, out: Path, layout: tuple[str, ...]) -> StageResult:
    from convert.lowering.road import lower_file, read_model
    from convert.rewrites import apply_all

    model = read_model(artifact.path)
    rewrites = apply_all(model)
    signature = lower_file(model, out, layout)
    made = Artifact(out, Format.SAVED_MODEL, signature, sha256_of(out))
    return StageResult(made, _applied(rewrites), _declined(rewrites))


def _applied(rewrites: tuple[RewriteNote, ...]) -> tuple[str, ...]:
    counts = Counter(note.rewrite for note in rewrites if note.applied)
    return tuple(f"rewrite {name}: {count}×" for name, count in counts.items())


def _declined(rewrites: tuple[RewriteNote, ...]) -> tuple[Refusal, ...]:
    return tuple(
        Refusal(OnnxToSavedModel.name, f"{note.rewrite} on {note.subject}", note.reason)
        for note in rewrites
        if not note.applied
    )


def _through_onnx2tf(artifact: Artifact, out: Path, layout: tuple[str, ...]) -> StageResult:
    from convert.lowering import onnx2tf_road

    return onnx2tf_road.lower(artifact.path, out, layout)
