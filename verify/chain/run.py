"""Running a chain: every model opened, fed the same samples, its outputs on disk, ready to be compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from verify.alike import pair_tensors
from verify.batches import batch_paths, read_batch, renamed
from verify.chain.entries import Entry, entries_of
from verify.chain.feeding import Fed, feed_checkpoint, feed_model
from verify.chain.inputs import common_inputs
from verify.chain.members import Member, open_members
from verify.chain.sampling import RECORDED_OUTPUTS, Samples, prepare
from verify.chain.settings import ChainSettings
from verify.chain.workers import Workers, ended_by, open_workers
from verify.errors import InputError, WorkerDied
from verify.opening import format_of
from verify.report.types import Refusal
from verify.samples.spec import InputSpec
from verify.signature import Signature, TensorSpec

Progress = Callable[[str], None]
"""Told what is being done, as a phrase: ``running net.onnx``."""


@dataclass(frozen=True)
class Ran:
    """A model that was run. ``outputs`` are batches under the first model's names, in PyTorch layout and real values.

    ``inputs`` are the batches it was fed, under its own names. ``output_names`` are its own, by the first model's,
    where the two differ.
    """

    member: Member
    inputs: Path
    outputs: Path
    fed: Fed
    output_names: dict[str, str]


@dataclass(frozen=True)
class Chain:
    """Everything that was run; its files are there as long as the context that gave it is open."""

    settings: ChainSettings
    workers: Workers
    folder: Path
    inputs: tuple[InputSpec, ...]
    samples: Samples
    models: tuple[Ran, ...]
    notes: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    started: float
    """On the monotonic clock."""

    def predecessor(self, ran: Ran) -> Ran | None:
        """The model that this one was made from, or follows; ``None`` for the first."""
        place = ran.member.entry.predecessor
        return None if place is None else self.models[place]

    @property
    def class_count(self) -> int | None:
        """Of a classifier: what a model says of itself, or the columns of a sole output ``(N, columns)``."""
        told = next((ran.member.class_count for ran in self.models if ran.member.class_count is not None), None)
        if told is not None:
            return told
        arrays = read_batch(batch_paths(self.models[0].outputs)[0])
        shapes = [array.shape for array in arrays.values()]
        return shapes[0][1] if len(shapes) == 1 and len(shapes[0]) == 2 and shapes[0][1] > 1 else None


@contextmanager
def run_chain(paths: tuple[Path, ...], settings: ChainSettings, progress: Progress) -> Iterator[Chain]:
    """Open and run every model on the same samples, each in a worker.

    Raises a ``ToolError`` when a file cannot be opened or run, or when the models cannot be fed the same samples.
    """
    started = time.monotonic()
    entries = entries_of(paths)
    if len(entries) < 2 and not settings.alone:
        raise InputError(
            f"{paths[0]} is one model: expected two or more to compare",
            fix="name another; or keep its outputs for later with --save-reference reference.npz",
        )
    with open_workers(settings.limits) as (workers, folder):
        workers.warm({entry.format for entry in entries})
        progress("opening the models")
        members = open_members(workers, entries, settings)
        inputs = common_inputs(members, settings.checkpoint.inputs)
        progress("preparing samples")
        samples = prepare(workers, members, inputs, settings, folder)
        ran = []
        for place, member in enumerate(members):
            progress(f"running {member.entry.name}")
            own_inputs = _own_inputs(samples.batches, folder / f"inputs_{place}", member.input_names)
            outputs = folder / (f"outputs_{place}" if member.header is None else RECORDED_OUTPUTS)
            ran.append(_run(workers, member, own_inputs, outputs, settings))
        models, refusals = _without_refused(tuple(_paired(ran[0], it) for it in ran))
        yield Chain(
            settings=settings,
            workers=workers,
            folder=folder,
            inputs=samples.inputs,
            samples=samples,
            models=models,
            notes=(*_renaming_notes(models), *(note for it in members for note in it.notes)),
            refusals=(*samples.refusals, *refusals),
            started=started,
        )


def run_another(chain: Chain, path: Path, folder: Path) -> Ran:
    """Open one more ONNX, SavedModel or TFLite model and run it on the chain's samples, as if it came after the first.

    Its files go to ``folder``; its latency is not measured. Raises what :func:`run_chain` does.
    """
    first = chain.models[0]
    entry = Entry(path, format_of(path), path.name, predecessor=0)
    (member,) = open_members(chain.workers, (entry,), chain.settings)
    member = replace(member, input_names=pair_tensors("input", first.member.opened, member.opened))
    inputs = _own_inputs(chain.samples.batches, folder / "inputs", member.input_names)
    outputs = folder / "outputs"
    try:
        fed = (
            chain.workers.of(entry.format)
            .run(feed_model, artifact=member.artifact, batches=inputs, outputs=outputs, measure_latency=False)
            .value
        )
    except WorkerDied as error:
        raise ended_by(member.entry, error) from error
    for batch in first.fed.refused:
        (outputs / batch.file).unlink(missing_ok=True)
    return _paired(first, Ran(member, inputs, outputs, fed, {}))


def _own_inputs(batches: Path, target: Path, names: Mapping[str, str]) -> Path:
    return renamed(batches, target, names) if names else batches


def _run(workers: Workers, member: Member, inputs: Path, outputs: Path, settings: ChainSettings) -> Ran:
    worker = workers.of(member.entry.format)
    try:
        if member.header is not None:
            fed = Fed(None)
        elif member.source is not None:
            fed = worker.run(
                feed_checkpoint,
                source=member.source,
                output_names=member.source.output_names,
                batches=inputs,
                outputs=outputs,
                precision="float32",
                measure_latency=settings.latencies,
            ).value
        else:
            fed = worker.run(
                feed_model,
                artifact=member.artifact,
                batches=inputs,
                outputs=outputs,
                measure_latency=settings.latencies,
            ).value
    except WorkerDied as error:
        raise ended_by(member.entry, error) from error
    except InputError as error:
        raise error.within(f"model: {member.entry.name}") from error
    return Ran(_with_outputs(member, outputs), inputs, outputs, fed, {})


def _with_outputs(member: Member, outputs: Path) -> Member:
    """A PyTorch model's outputs are known once it has run."""
    if member.artifact.signature.outputs:
        return member
    arrays = read_batch(batch_paths(outputs)[0])
    specs = tuple(TensorSpec(name, array.dtype.name, array.shape) for name, array in arrays.items())
    artifact = replace(member.artifact, signature=Signature(member.artifact.signature.inputs, specs))
    return replace(member, opened=replace(member.opened, artifact=artifact))


def _paired(first: Ran, ran: Ran) -> Ran:
    """Its outputs under the first model's names."""
    names = pair_tensors("output", first.member.opened, ran.member.opened) if ran is not first else {}
    if not names:
        return ran
    ours = {theirs: name for name, theirs in names.items()}
    return replace(ran, outputs=renamed(ran.outputs, Path(f"{ran.outputs}_renamed"), ours), output_names=names)


def _without_refused(models: tuple[Ran, ...]) -> tuple[tuple[Ran, ...], tuple[Refusal, ...]]:
    """What the first model cannot run judges nothing; what only another cannot run is missing, and fails there."""
    refusals = [
        Refusal("inputs", f"{ran.member.entry.name} on {batch.shapes}", batch.reason)
        for ran in models
        for batch in ran.fed.refused
    ]
    for batch in models[0].fed.refused:
        for ran in models:
            (ran.outputs / batch.file).unlink(missing_ok=True)
    return models, tuple(refusals)


def _renaming_notes(models: tuple[Ran, ...]) -> tuple[str, ...]:
    where: dict[str, list[str]] = {}
    for ran in models:
        for name, theirs in (dict(ran.member.input_names) | ran.output_names).items():
            where.setdefault(f"{name} is {theirs}", []).append(ran.member.entry.name)
    return tuple(f"{renaming} in {', '.join(names)}" for renaming, names in where.items())
