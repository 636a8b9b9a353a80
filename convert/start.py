"""Where a run starts: a checkpoint or an ONNX file, made into an artifact with a signature and inputs to feed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from convert.hosts import Hosts
from convert.stages.base import Host, Stage
from convert.stages.export import ExportOnnx
from verify.artifact import Artifact, Format
from verify.model import ModelDescription, ModelSource
from verify.runners.onnx_runner import onnx_signature
from verify.samples import InputSpec
from verify.signature import Signature, TensorSpec


@dataclass(frozen=True)
class Start:
    """The model a run starts from. ``name`` is the artifact's name in edges: ``pytorch`` or ``onnx``."""

    name: str
    artifact: Artifact
    inputs: tuple[InputSpec, ...]
    weight_bytes: int
    source: ModelSource | None = None
    description: ModelDescription | None = None


def open_start(model: Path, sha256: str, first: Stage, hosts: Hosts) -> Start:
    """Open the model that the first stage takes, in a worker; raises the typed error of whoever opens it."""
    if isinstance(first, ExportOnnx):
        return _checkpoint(model, sha256, first, hosts)
    return _onnx(model, sha256, hosts)


def _checkpoint(model: Path, sha256: str, export: ExportOnnx, hosts: Hosts) -> Start:
    from verify.checkpoint import describe

    source = export.source(model)
    description = hosts.worker(Host.TORCH).run(describe, source=source).value
    inputs = tuple(TensorSpec(spec.name, spec.dtype, spec.shape) for spec in description.inputs)
    artifact = Artifact(model, Format.CHECKPOINT, Signature(inputs, ()), sha256)
    return Start("pytorch", artifact, description.inputs, description.weight_bytes, source, description)


def _onnx(model: Path, sha256: str, hosts: Hosts) -> Start:
    signature = hosts.worker(Host.RUNTIME).run(onnx_signature, path=model).value
    inputs = tuple(_input_spec(spec) for spec in signature.inputs)
    artifact = Artifact(model, Format.ONNX, signature, sha256)
    return Start("onnx", artifact, inputs, model.stat().st_size)


def _input_spec(spec: TensorSpec) -> InputSpec:
    """An ONNX file does not say what integers mean: 0 and 1 are valid as indices, masks and flags alike."""
    if spec.dtype.startswith(("int", "uint")):
        return InputSpec(spec.name, spec.shape, spec.dtype, low=0, high=1)
    return InputSpec(spec.name, spec.shape, spec.dtype)
