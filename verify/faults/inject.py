"""Writing a copy of a model with one fault in it; a job, for the formats' libraries may not be at hand elsewhere."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from verify.artifact import Artifact, Format, sha256_of
from verify.errors import InputError
from verify.faults.catalogue import FAULTS
from verify.faults.fault import Fault, NotApplicable, Subject
from verify.faults.model import Model
from verify.opening import format_of, own_signature
from verify.signature import Signature, TensorSpec
from verify.signature_file import declared_artifact, write_signatures


@dataclass(frozen=True)
class Injected:
    """A copy with a fault: ``where`` says in which part. Without a ``path`` nothing was written: see ``refusal``."""

    kind: str
    title: str
    path: Path | None
    where: str = ""
    refusal: str = ""
    """Why the fault does not apply to the model, as a phrase."""


def fault_kinds() -> tuple[str, ...]:
    """The names of all kinds of fault, in the order of the catalogue."""
    return tuple(fault.kind for fault in FAULTS)


def inject(*, kind: str, path: Path, folder: Path, seed: int) -> Injected:
    """Job: write a copy of the model with that fault into ``folder``, and what ``signature.json`` declares of it.

    The same seed puts the fault in the same place. Raises ``InputError`` for a kind or a format that is not known.
    """
    fault = _fault(kind)
    declared = declared_artifact(path)
    subject = Subject(_opened(path), declared.signature if declared is not None else None)
    try:
        where = fault.inject(subject, np.random.default_rng([seed, zlib.crc32(kind.encode())]))
    except NotApplicable as refusal:
        return Injected(kind, fault.title, None, refusal=str(refusal))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / path.name
    subject.model.write(target)
    if subject.signature is not None and declared is not None:
        signature = subject.signature
        if signature is declared.signature:  # otherwise it is what the fault is in
            signature = _as_written(signature, own_signature(target, declared.format))
        write_signatures(folder, (Artifact(target, declared.format, signature, sha256_of(target)),))
    return Injected(kind, fault.title, target, where)


def _fault(kind: str) -> Fault:
    for fault in FAULTS:
        if fault.kind == kind:
            return fault
    raise InputError(f"there is no fault {kind!r}", fix=f"one of: {', '.join(fault_kinds())}")


def _opened(path: Path) -> Model:
    match format_of(path):
        case Format.TFLITE:
            from verify.faults.tflite_model import TfliteModel

            return TfliteModel(path)
        case Format.ONNX:
            from verify.faults.onnx_model import OnnxModel

            return OnnxModel(path)
        case other:
            raise InputError(
                f"faults are put into .onnx and .tflite files, not into a {other.value}",
                fix="name such a file last: verify --self-test A B.tflite",
            )


def _as_written(declared: Signature, own: Signature) -> Signature:
    """What a converter that made the faulty file would have declared: its outputs as they are, in the same layouts."""
    known = {spec.name: spec for spec in declared.outputs}
    outputs = tuple(_like(spec, known.get(spec.name, spec)) for spec in own.outputs)
    return Signature(declared.inputs, outputs, declared.axes)


def _like(own: TensorSpec, declared: TensorSpec) -> TensorSpec:
    if len(own.shape) != len(declared.shape):
        return own
    return replace(own, shape=declared.shape, permutation=declared.permutation)
