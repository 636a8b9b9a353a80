"""The samples of a chain: written once, in the sizes that every model can take, and what they leave open."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from verify.artifact import Format
from verify.batches import batch_paths
from verify.chain.inputs import batch_sizes
from verify.chain.members import Member
from verify.chain.settings import ChainSettings
from verify.chain.vocabulary import vocabularies
from verify.chain.workers import Workers
from verify.errors import InputError, InputSpecInvalid
from verify.reference_file import unpack_reference
from verify.report.types import Refusal
from verify.samples.axes import described, other_sizes, write_other_sizes
from verify.samples.mixed import MixedInput, write_mixed_inputs
from verify.samples.source import RandomSamples
from verify.samples.spec import InputSpec
from verify.samples.write import write_batches
from verify.signature import DynamicAxis

RECORDED_OUTPUTS = "recorded_outputs"
"""Below the run's folder: the golden outputs of a reference."""
FLOOR_BATCHES = 2
"""Three samples are enough to measure a noise floor on; float64 takes PyTorch two to ten times as long."""


@dataclass(frozen=True)
class Samples:
    """Folders of batches. ``floor`` holds the first of ``batches``; ``added`` are files of sizes tried besides."""

    batches: Path
    floor: Path
    inputs: tuple[InputSpec, ...]
    description: str
    sample_count: int
    added: tuple[str, ...] = ()
    mixed: tuple[MixedInput, ...] = ()
    """Of several inputs: batches that try each one by itself."""
    refusals: tuple[Refusal, ...] = ()
    unknown_ranges: tuple[str, ...] = ()
    """Integer inputs that were fed 0 and 1 for want of a better range."""


def prepare(
    workers: Workers,
    members: tuple[Member, ...],
    inputs: tuple[InputSpec, ...],
    settings: ChainSettings,
    folder: Path,
) -> Samples:
    """Write what every model is fed. A reference brings its own; raises ``InputError`` when data is given besides."""
    if members[0].header is not None:
        return _recorded(members[0], inputs, settings, folder)
    batches = folder / "batches"
    worker = workers.of(Format.TFLITE)
    rows = _table_rows(workers, members) if any(map(_is_integer, inputs)) else {}
    drawn = isinstance(settings.samples, RandomSamples)
    told = {spec.name for spec in inputs if spec.low is not None}
    ranged = tuple(_ranged(spec, rows.get(spec.name), drawn=drawn) for spec in inputs)
    written = worker.run(
        write_batches,
        source=settings.samples,
        inputs=ranged,
        folder=batches,
        max_judging=settings.max_samples,
        batch_sizes=batch_sizes(members),
    ).value
    sizes = other_sizes(ranged, _axes(members))
    if sizes:
        worker.run(write_other_sizes, folder=batches, inputs=ranged, sizes=sizes)
    of_other_sizes = tuple(path.name for path in batch_paths(batches)[len(written.batch_sizes) :])
    mixed = worker.run(write_mixed_inputs, folder=batches, inputs=tuple(spec.name for spec in ranged)).value
    also = f", also at {'; '.join(map(described, sizes))}" if sizes else ""
    return Samples(
        batches=batches,
        floor=_floor(batches, folder / "floor"),
        inputs=ranged,
        description=written.description + also,
        sample_count=written.sample_count,
        added=of_other_sizes,
        mixed=mixed,
        refusals=written.refusals,
        unknown_ranges=tuple(
            spec.name
            for spec in ranged
            if drawn and _is_integer(spec) and spec.name not in rows and spec.name not in told
        ),
    )


def _recorded(first: Member, inputs: tuple[InputSpec, ...], settings: ChainSettings, folder: Path) -> Samples:
    assert first.header is not None
    if not isinstance(settings.samples, RandomSamples):
        raise InputError(
            f"{first.entry.name} brings its own inputs, and other data was named: expected one of the two",
            fix="leave --data out; or write the reference again from that data: verify MODEL --data … --save-reference",
        )
    unpack_reference(first.entry.path, folder / "batches", folder / RECORDED_OUTPUTS)
    return Samples(
        batches=folder / "batches",
        floor=_floor(folder / "batches", folder / "floor"),
        inputs=inputs,
        description=f"{first.header.samples}, recorded with the outputs of {first.header.model}",
        sample_count=first.header.sample_count,
    )


def _floor(batches: Path, target: Path) -> Path:
    target.mkdir()
    for path in batch_paths(batches)[:FLOOR_BATCHES]:
        os.link(path, target / path.name)
    return target


def _axes(members: tuple[Member, ...]) -> tuple[DynamicAxis, ...]:
    """What any model's signature says of its dynamic axes; the first that knows a name decides."""
    known: dict[str, DynamicAxis] = {}
    for member in members:
        for axis in member.artifact.signature.axes:
            known.setdefault(axis.name, axis)
    return tuple(known.values())


def _is_integer(spec: InputSpec) -> bool:
    return spec.dtype.startswith(("int", "uint"))


def _table_rows(workers: Workers, members: tuple[Member, ...]) -> dict[str, int]:
    """Of each input that is an index somewhere, by the first model's names: the fewest rows of a table it indexes."""
    rows: dict[str, int] = {}
    for member in members:
        ours = {theirs: name for name, theirs in member.input_names.items()}
        for found in workers.of(Format.TFLITE).run(vocabularies, artifact=member.artifact).value:
            name = ours.get(found.name, found.name)
            rows[name] = min(found.rows, rows.get(name, found.rows))
    return rows


def _ranged(spec: InputSpec, rows: int | None, *, drawn: bool) -> InputSpec:
    """An integer input of unknown range gets its vocabulary; where that is not known either and samples are drawn, 0
    and 1: they are valid as index, mask and flag. Raises ``InputSpecInvalid`` for a range that leads out of a table.
    """
    if not _is_integer(spec):
        return spec
    if spec.low is None or spec.high is None:
        if rows is None:
            return replace(spec, low=0, high=1) if drawn else spec
        return replace(spec, low=0, high=rows - 1)
    if rows is not None and spec.high >= rows:
        raise InputSpecInvalid(
            f"input {spec.name} may hold {spec.low:g}..{spec.high:g}, and indexes a table of {rows} rows",
            fix=f"give a range within 0..{rows - 1}: --input {spec.name}=…:{spec.dtype}:0..{rows - 1}",
        )
    return spec
