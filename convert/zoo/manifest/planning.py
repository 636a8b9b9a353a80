"""From an entry of the manifest to a planned model: the stages' own dataclasses, filled in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from convert.settings import RunSettings
from convert.stages.export import ExportOnnx
from convert.stages.lower import OnnxToSavedModel
from convert.stages.quantize import ToInt8
from convert.zoo.job import Budgets, JobLimits, ModelTask, Source, SourceKind, Target
from convert.zoo.manifest.entries import Entry
from convert.zoo.manifest.schema import ExpectTable, ModelTable
from convert.zoo.plan import Expectation, PlannedModel
from quantize.recipe import IoOption

PUBLISHED = "DEFAULT"
"""The weights of an architecture by name, where nothing is said of them: those its library recommends."""

NAMED = frozenset({SourceKind.TORCHVISION, SourceKind.TIMM})

T = TypeVar("T")


def planned(entry: Entry, folder: Path, command: str) -> PlannedModel:
    """The job that an entry describes. What it leaves out is as the dataclasses have it."""
    options = entry.options
    return PlannedModel(
        id=entry.id,
        task=_task(entry, command),
        limits=_changed(
            JobLimits(),
            timeout_s=options.timeout,
            memory_bytes=options.memory,
            processes=options.processes,
            log_bytes=options.max_log,
        ),
        cores=options.cores or 1,
        scratch=folder / options.scratch if options.scratch else None,
        tags=tuple(options.tags or ()),
        tier=options.tier,
        license=options.license or "",
        expect=tuple(_expectation(each) for each in options.expect or () if _applies(each, entry.cell)),
    )


def targets_of(options: ModelTable) -> tuple[Target, ...]:
    """The files a job makes: those asked for, in the pipeline's order; all that can be made where none are."""
    if options.targets is not None:
        return tuple(target for target in Target if target in options.targets)
    return tuple(target for target in Target if target is not Target.INT8 or options.calibration is not None)


def _task(entry: Entry, command: str) -> ModelTask:
    options = entry.options
    export = _changed(
        ExportOnnx(),
        arch=_architecture(entry),
        arch_args=_arguments(options.arch_args),
        inputs=_tuple(options.inputs),
        dynamic=_tuple(options.dynamic),
        output_names=_tuple(options.output_names),
        trust_pickle=options.trust_pickle,
        partial=options.partial,
        prefer_ema=options.ema,
        part=options.part,
        opset=options.opset,
        exporter=options.exporter,
    )
    budgets = options.budgets
    return ModelTask(
        source=_source(entry, export),
        stem=entry.located.stem,
        targets=targets_of(options),
        export=export,
        lower=_changed(OnnxToSavedModel(), lowering=options.lowering, layout=_tuple(options.layout)),
        int8=_changed(
            ToInt8(),
            int8_io=None if options.int8_io is None else IoOption(options.int8_io),
            max_samples=options.max_samples,
            ranges=options.ranges,
            corrections=options.corrections,
            keep_float=_tuple(options.keep_float),
            keep_int16=_tuple(options.keep_int16),
            input_stats=_tuple(options.input_stats),
            require_full_int8=options.require_full_int8,
        ),
        settings=_changed(
            RunSettings(command=command),
            calibration=options.calibration,
            evaluation=options.evaluation,
            max_judging=options.max_judging,
            seed=options.seed,
            int8_min_sqnr_db=budgets.int8_min_sqnr_db if budgets else None,
        ),
        budgets=_budgets(options),
    )


def _source(entry: Entry, export: ExportOnnx) -> Source:
    source, located = entry.source, entry.located
    sha256 = source.sha256 or entry.options.sha256
    if located.kind not in NAMED:
        return Source(located.kind, located.location, sha256)
    return Source(
        located.kind,
        located.location,
        sha256,
        weights=source.weights or entry.options.weights or PUBLISHED,
        seed=source.seed or 0,
        arch_args=export.arch_args,
        inputs=export.inputs,
    )


def _architecture(entry: Entry) -> str | None:
    """For a source that is an architecture's name, that one: tensors that several share need no recognising then."""
    if entry.located.kind in NAMED:
        return f"{entry.located.kind.value}:{entry.located.location.partition('.')[0]}"
    return entry.options.arch


def _arguments(table: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...] | None:
    """As the command line takes them: Python literals."""
    return tuple((name, repr(value)) for name, value in table.items()) if table is not None else None


def _budgets(options: ModelTable) -> Budgets:
    """Those of files that are made; defaults may name others."""
    made, table = targets_of(options), options.budgets
    if table is None:
        return Budgets()
    return Budgets(
        max_size_bytes={target: size for target, size in table.max_size.items() if target in made},
        min_top1_agreement={target: share for target, share in table.min_top1.items() if target in made},
    )


def _applies(expect: ExpectTable, cell: Mapping[str, Any]) -> bool:
    return all(cell.get(key) == value for key, value in expect.when.items())


def _expectation(expect: ExpectTable) -> Expectation:
    return Expectation(expect.outcome, expect.reason, expect.expires, expect.target)


def _tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return tuple(values) if values is not None else None


def _changed(instance: T, **values: object) -> T:
    """The dataclass with what was given put in."""
    given = {name: value for name, value in values.items() if value is not None}
    return dataclasses.replace(instance, **given)  # type: ignore[type-var]
