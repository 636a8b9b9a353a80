"""SavedModel → float32 TFLite: TensorFlow's compiler, given the folder itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from convert.stages.base import Host, Stage, StageResult
from verify.artifact import Artifact, Format, sha256_of
from verify.errors import ContractBroken, ModelUnreadable
from verify.signature import Signature, TensorSpec


@dataclass(frozen=True)
class SavedModelToTflite(Stage):
    """Compiles ``serving_default`` to builtin TFLite ops; names, layouts and the dynamic batch stay as they are.

    Raises ``UnsupportedOp`` for an op that is no TFLite builtin: no file that needs the Flex delegate is ever written.
    """

    name: ClassVar[str] = "tflite"
    title: ClassVar[str] = "SavedModel → float32 TFLite"
    consumes: ClassVar[Format] = Format.SAVED_MODEL
    produces: ClassVar[Format] = Format.TFLITE
    host: ClassVar[Host] = Host.TENSORFLOW
    artifact_name: ClassVar[str] = "float32"
    suffix: ClassVar[str] = "_float32.tflite"
    relevant_packages: ClassVar[tuple[str, ...]] = ("tensorflow",)

    def call(self, artifact: Artifact, out: Path) -> StageResult:
        """Compile the SavedModel folder to one ``.tflite`` file with one signature, ``serving_default``."""
        from convert.lowering.tflite_compiler import compile_saved_model
        from verify.runners.tflite_file import tflite_signature_like

        if not (artifact.path / "saved_model.pb").is_file():
            raise ModelUnreadable(
                f"{artifact.path} is no SavedModel: expected a folder with a saved_model.pb in it",
                fix="give the folder that tf.saved_model.save or convert pth2tf made",
            )
        compile_saved_model(artifact.path, out)
        signature = tflite_signature_like(out, artifact.signature)
        _require_same(artifact.signature, signature)
        return StageResult(Artifact(out, Format.TFLITE, signature, sha256_of(out)))


def _require_same(declared: Signature, found: Signature) -> None:
    pairs = (("inputs", declared.inputs, found.inputs), ("outputs", declared.outputs, found.outputs))
    for role, expected, actual in pairs:
        if expected != actual:
            raise ContractBroken(
                f"the TFLite file's {role} are {_listed(actual)}; the SavedModel declares {_listed(expected)}",
                fix="report the model: the compiler changed what the file takes or gives",
            )


def _listed(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{spec.name} {spec.dtype}[{', '.join(map(str, spec.shape))}]" for spec in specs) or "none"
