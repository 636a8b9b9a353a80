"""Recording a chain's samples and its first model's outputs, for a later run that has not got that model."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from verify.batches import batch_paths
from verify.chain.run import Chain
from verify.reference_file import SCHEMA_VERSION, ReferenceHeader, write_reference
from verify.signature import Signature, TensorSpec
from verify.tolerance import OutputFloor
from verify.versions import versions


def save_reference(chain: Chain, floors: tuple[OutputFloor, ...], path: Path) -> None:
    """Write ``reference.npz``. Batches that the model could not be run on are left out."""
    first = chain.models[0]
    artifact = first.member.artifact
    inputs = chain.folder / "recorded"
    inputs.mkdir()
    for batch in batch_paths(first.outputs):
        shutil.copyfile(first.inputs / batch.name, inputs / batch.name)
    header = ReferenceHeader(
        schema_version=SCHEMA_VERSION,
        model=first.member.entry.name,
        model_format=artifact.format.value,
        model_sha256=artifact.sha256,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        samples=chain.samples.description,
        sample_count=chain.samples.sample_count,
        inputs=chain.inputs,
        signature=Signature(_in_torch_layout(artifact.signature.inputs), _in_torch_layout(artifact.signature.outputs)),
        class_count=chain.class_count,
        floors=floors,
        versions=versions(),
    )
    write_reference(path, header, inputs, first.outputs)


def _in_torch_layout(specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    return tuple(
        replace(
            spec,
            shape=spec.torch_shape,
            permutation=None,
            dtype="float32" if spec.quantization is not None else spec.dtype,
            quantization=None,
        )
        for spec in specs
    )
