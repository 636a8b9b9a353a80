"""PyTorch → ONNX. The options say how to open the checkpoint, and how to write it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from convert.stages.base import Host, Stage, StageResult, flag
from verify.artifact import Artifact, Format, sha256_of
from verify.model import ModelSource


@dataclass(frozen=True)
class ExportOnnx(Stage):
    """Open a checkpoint and write it as ONNX, its batch dynamic, its names chosen, its source lines kept."""

    name: ClassVar[str] = "export"
    title: ClassVar[str] = "PyTorch → ONNX"
    consumes: ClassVar[Format] = Format.CHECKPOINT
    produces: ClassVar[Format] = Format.ONNX
    host: ClassVar[Host] = Host.TORCH
    artifact_name: ClassVar[str] = "onnx"
    suffix: ClassVar[str] = ".onnx"
    relevant_packages: ClassVar[tuple[str, ...]] = ("torch", "torchvision", "timm", "onnx", "onnxscript", "onnx-ir")

    arch: str | None = flag(
        None,
        "The architecture: torchvision:NAME, timm:NAME, FILE.py:CLASS or PACKAGE.MODULE:CLASS. Recognised if left out.",
    )
    arch_args: tuple[tuple[str, str], ...] = flag(
        (), "An argument for the architecture, as a Python literal; repeat for more.", metavar="NAME=LITERAL"
    )
    inputs: tuple[str, ...] = flag(
        (),
        "An input, where the architecture's own is not wanted: image=N,1,28,28 or ids=N,16:int64:0..999; "
        "repeat for more.",
        cli_name="--input",
        metavar="NAME=DIMS[:DTYPE[:LOW..HIGH]]",
    )
    dynamic: tuple[str, ...] = flag(
        (),
        "Names for axes of an input that are to stay free, as the batch does: image=N,3,H,W or ids=N,T. The shape is "
        "the one known, or --input's, which can name axes itself; repeat for more.",
        metavar="NAME=DIMS",
    )
    output_names: tuple[str, ...] = flag(
        (), "A name for an output, in order; repeat for more. The model's own if left out.", cli_name="--output-name"
    )
    trust_pickle: bool = flag(False, "Load a pickled module, which runs code from the file.")
    partial: bool = flag(False, "Accept missing or unexpected tensors, and list them.")
    prefer_ema: bool = flag(False, "Take the moving-average copy of the weights, where there is one.", cli_name="--ema")
    part: str = flag(
        "",
        "Which part of a torchvision detector: network (up to its post-processing; the default), and for R-CNNs "
        "box_head, mask_head or keypoint_head.",
        metavar="NAME",
    )
    opset: int = flag(20, "The ONNX operator set to write.")
    exporter: str = flag(
        "auto", "torch's exporter: auto (newer, and older where it fails or parity does), newer or older."
    )

    def source(self, checkpoint: Path) -> ModelSource:
        """The checkpoint and everything these options say about opening it."""
        return ModelSource(
            path=checkpoint,
            arch=self.arch,
            arch_args=self.arch_args,
            inputs=self.inputs,
            output_names=self.output_names,
            trust_pickle=self.trust_pickle,
            partial=self.partial,
            prefer_ema=self.prefer_ema,
            part=self.part,
            dynamic=self.dynamic,
        )

    def key(self) -> dict[str, Any]:
        """As of any stage, and the content of the Python file that defines the architecture."""
        source = self.architecture_file()
        return {**super().key(), "architecture_sha256": sha256_of(source) if source is not None else ""}

    def architecture_file(self, folder: Path = Path()) -> Path | None:
        """The user's own ``net.py`` or ``package/module.py``; ``None`` for an architecture of an installed library."""
        place = (self.arch or "").rpartition(":")[0]
        candidates = (folder / place, folder / (place.replace(".", "/") + ".py")) if place else ()
        return next((path for path in candidates if path.is_file()), None)

    def call(self, artifact: Artifact, out: Path) -> StageResult:
        from convert.export.detector_files import write_detector_files
        from convert.export.ladder import export_module
        from verify.checkpoint import open_model

        opened = open_model(self.source(artifact.path))
        module = opened.module if opened.program is None else opened.program
        outcome = export_module(module, opened.description, out, self.opset, self.exporter)
        notes = write_detector_files(opened, out) if opened.detector is not None else ()
        written = Artifact(out, Format.ONNX, outcome.signature, sha256_of(out))
        return StageResult(written, (*outcome.notes, *notes), outcome.refusals, outcome.exporter)
