"""What signatures say beside names: layouts that ``signature.json`` declares, and sizes left open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from verify.errors import InputError
from verify.inspection.types import DynamicTensor, NamedSignature, Role
from verify.signature import TensorSpec
from verify.signature_file import declared_artifact

Permutations = Mapping[str, tuple[int, ...] | None]


def declared_permutations(path: Path, notes: list[str]) -> Permutations:
    """By tensor, from the ``signature.json`` beside a file; empty, with a note, where that is of another file."""
    try:
        declared = declared_artifact(path)
    except InputError as error:
        notes.append(f"layouts are not shown: {error.what}")
        return {}
    if declared is None:
        return {}
    return {spec.name: spec.permutation for spec in (*declared.signature.inputs, *declared.signature.outputs)}


def open_tensors(signatures: Iterable[NamedSignature]) -> tuple[DynamicTensor, ...]:
    """Inputs and outputs with an axis whose size is left open."""
    found = []
    for signature in signatures:
        found += [_dynamic(spec, "input") for spec in signature.inputs if _is_open(spec)]
        found += [_dynamic(spec, "output") for spec in signature.outputs if _is_open(spec)]
    return tuple(dict.fromkeys(found))


def _is_open(spec: TensorSpec) -> bool:
    return any(isinstance(dim, str) for dim in spec.shape)


def _dynamic(spec: TensorSpec, role: Role) -> DynamicTensor:
    return DynamicTensor(0, spec.name, spec.shape, role)
