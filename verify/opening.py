"""Opening a model file that may come from anywhere: its format, its signature, and the layout it is declared to have.

``signature.json`` beside a file declares its layouts. Without one, an ONNX file has the PyTorch layout by definition,
and a TensorFlow file has what ``--layout`` says; nothing is concluded from shapes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from verify.artifact import Artifact, Format, sha256_of
from verify.errors import InputError, ModelUnreadable
from verify.signature import Signature, TensorSpec
from verify.signature_file import check_declared, declared_artifact

TORCH_LAYOUTS = {4: "NCHW", 5: "NCDHW"}

FORMATS = {
    ".onnx": Format.ONNX,
    ".tflite": Format.TFLITE,
    ".npz": Format.REFERENCE,
    **dict.fromkeys((".pth", ".pt", ".ckpt", ".safetensors", ".pt2", ".bin"), Format.CHECKPOINT),
}
"""By a file's suffix, in lower case."""


@dataclass(frozen=True)
class Layout:
    """``NAME=LAYOUT`` as the user declares it: how a TensorFlow artifact stores a tensor (``image=NHWC``)."""

    tensor: str
    layout: str


@dataclass(frozen=True)
class Opened:
    """``declared`` is false when only the file itself spoke, which does not know its layouts.

    ``told`` names the tensors whose layout the user gave.
    """

    artifact: Artifact
    declared: bool
    told: tuple[str, ...] = ()

    def knows_layout(self, tensor: str) -> bool:
        """Whether that tensor's layout was declared, rather than taken as the file stores it."""
        return self.declared or tensor in self.told


def format_of(path: Path) -> Format:
    """By suffix, or by the ``saved_model.pb`` in a folder; raises ``ModelUnreadable``."""
    if not path.exists():
        raise ModelUnreadable(f"there is no {path}", fix="check the path")
    if (path / "saved_model.pb").is_file():
        return Format.SAVED_MODEL
    if path.is_file() and path.suffix.lower() in FORMATS:
        return FORMATS[path.suffix.lower()]
    raise ModelUnreadable(
        f"{path} is of no format that can be run here: expected .onnx, .tflite, a SavedModel folder, a checkpoint "
        "(.pth, .pt, .ckpt, .safetensors, .pt2), a reference.npz, or a folder that convert made",
        fix="check the path, or give the file its usual suffix",
    )


def parse_layout(text: str) -> Layout:
    """``image=NHWC``; raises ``InputError``."""
    tensor, _, layout = text.rpartition("=")
    if not tensor or sorted(layout.upper()) not in (sorted("NCHW"), sorted("NCDHW")):
        raise InputError(
            f"--layout {text}: expected NAME=LAYOUT, LAYOUT being an order of NCHW or NCDHW", fix="--layout image=NHWC"
        )
    return Layout(tensor, layout.upper())


def open_model(path: Path, layouts: tuple[Layout, ...]) -> Opened:
    """Job: the artifact at ``path``. ``layouts`` override what is declared, for TensorFlow artifacts."""
    found = declared_artifact(path)
    kind = format_of(path)
    if found is not None and kind is Format.TFLITE:  # it declares scales and layouts, and is read at no cost
        check_declared(found, own_signature(path, kind))
    artifact = found or Artifact(path, kind, own_signature(path, kind), sha256_of(path))
    if kind is Format.ONNX:
        return Opened(artifact, declared=True)
    by_tensor = {layout.tensor: layout.layout for layout in layouts}
    signature = Signature(
        tuple(_with_layout(spec, by_tensor) for spec in artifact.signature.inputs),
        tuple(_with_layout(spec, by_tensor) for spec in artifact.signature.outputs),
    )
    names = {spec.name for spec in (*signature.inputs, *signature.outputs)}
    told = tuple(layout.tensor for layout in layouts if layout.tensor in names)
    return Opened(replace(artifact, signature=signature), declared=found is not None, told=told)


def own_signature(path: Path, kind: Format) -> Signature:
    """What an ONNX, TFLite or SavedModel file says of itself, which is everything but layouts."""
    match kind:
        case Format.ONNX:
            from verify.runners.onnx_runner import onnx_signature

            return onnx_signature(path)
        case Format.TFLITE:
            from verify.runners.tflite_file import tflite_signature

            return tflite_signature(path, {})
        case _:
            from verify.runners.saved_model_runner import saved_model_signature

            return saved_model_signature(path, {})


def _with_layout(spec: TensorSpec, layouts: dict[str, str]) -> TensorSpec:
    layout = layouts.get(spec.name)
    if layout is None:
        return spec
    torch_layout = TORCH_LAYOUTS.get(len(spec.shape), "")
    if len(layout) != len(torch_layout):
        raise InputError(f"--layout {spec.name}={layout}: the tensor has {len(spec.shape)} axes, not {len(layout)}")
    permutation = tuple(torch_layout.index(axis) for axis in layout)
    return replace(spec, permutation=None if layout == torch_layout else permutation)
