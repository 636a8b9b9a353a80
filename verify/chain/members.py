"""The models of a chain, opened: what each takes and gives, and what it knows of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from verify.alike import pair_tensors
from verify.artifact import Artifact, Format, sha256_of
from verify.chain.entries import Entry
from verify.chain.settings import ChainSettings
from verify.chain.workers import Workers, ended_by
from verify.checkpoint import describe
from verify.errors import InputError, WorkerDied
from verify.model import ModelDescription, ModelSource
from verify.opening import Layout, Opened, open_model
from verify.reference_file import ReferenceHeader, read_header
from verify.samples.spec import InputSpec
from verify.signature import Signature, TensorSpec
from verify.worker import JobOutcome


@dataclass(frozen=True)
class Member:
    """One model. ``inputs`` is what it says of its inputs beyond their shapes; empty for a file that knows no more."""

    entry: Entry
    opened: Opened
    inputs: tuple[InputSpec, ...] = ()
    class_count: int | None = None
    notes: tuple[str, ...] = ()
    source: ModelSource | None = None
    """How a checkpoint is opened again."""
    header: ReferenceHeader | None = None
    """Of a reference."""
    input_names: Mapping[str, str] = field(default_factory=dict)
    """``{the first model's name of an input: its own}``, where the two differ."""

    @property
    def artifact(self) -> Artifact:
        """The file, and its signature."""
        return self.opened.artifact


def open_members(workers: Workers, entries: tuple[Entry, ...], settings: ChainSettings) -> tuple[Member, ...]:
    """Open every model, each in its worker; raises an ``InputError`` for what cannot be opened, or has others."""
    opening = [_start(workers, entry, settings) for entry in entries]
    members = tuple(
        _finished(entry, future, settings) if future is not None else _reference(entry)
        for entry, future in zip(entries, opening, strict=True)
    )
    _refuse_unknown_layouts(settings.layouts, members)
    first = members[0].opened
    return tuple(replace(member, input_names=pair_tensors("input", first, member.opened)) for member in members)


Opening = Future[JobOutcome[Opened]] | Future[JobOutcome[ModelDescription]]


def _start(workers: Workers, entry: Entry, settings: ChainSettings) -> Opening | None:
    if entry.format is Format.REFERENCE:
        return None
    worker = workers.of(entry.format)
    if entry.format is Format.CHECKPOINT:
        return worker.submit(describe, source=settings.source(entry.path))
    return worker.submit(open_model, path=entry.path, layouts=settings.layouts)


def _finished(entry: Entry, future: Opening, settings: ChainSettings) -> Member:
    try:
        value = future.result().value
    except WorkerDied as error:
        raise ended_by(entry, error) from error
    if isinstance(value, Opened):
        return Member(entry, value)
    inputs = tuple(TensorSpec(spec.name, spec.dtype, spec.shape) for spec in value.inputs)
    artifact = Artifact(entry.path, entry.format, Signature(inputs, ()), sha256_of(entry.path))
    return Member(
        entry,
        Opened(artifact, declared=True),
        value.inputs,
        value.class_count,
        value.notes,
        source=settings.source(entry.path),
    )


def _reference(entry: Entry) -> Member:
    header = read_header(entry.path)
    artifact = Artifact(entry.path, entry.format, header.signature, sha256_of(entry.path))
    return Member(entry, Opened(artifact, declared=True), header.inputs, header.class_count, header=header)


def _refuse_unknown_layouts(layouts: tuple[Layout, ...], members: tuple[Member, ...]) -> None:
    specs = [spec for it in members for spec in (*it.artifact.signature.inputs, *it.artifact.signature.outputs)]
    known = sorted({spec.name for spec in specs})
    for layout in layouts:
        if layout.tensor not in known:
            raise InputError(
                f"--layout {layout.tensor}={layout.layout}: no model has a tensor of that name; there are "
                f"{', '.join(known)}",
                fix="name an input or an output of a TensorFlow model",
            )
