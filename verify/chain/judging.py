"""From outputs on disk to judged edges: each model against its predecessor, and against the first."""

from __future__ import annotations

from dataclasses import replace

from verify.artifact import Format
from verify.batches import batch_paths
from verify.chain.feeding import feed_checkpoint
from verify.chain.own_rounding import with_ops_judged
from verify.chain.run import Chain, Ran
from verify.chain.task import task_of, with_task_of
from verify.compare import compare_edge
from verify.errors import ToolError, WorkerDied
from verify.floors import floors_from_graph
from verify.influence import with_influences
from verify.model import ModelSource
from verify.report.types import EdgeReport, Refusal
from verify.spread import measure_torch_spread, widened_by
from verify.tallies.grid import OutputGrid
from verify.tolerance import (
    Budget,
    FloatBudget,
    OutputFloor,
    QuantizedBudget,
    measure_floors,
    quantized_budget,
    rounding_floors,
)


def judge_edges(chain: Chain, floors: tuple[OutputFloor, ...]) -> tuple[EdgeReport, ...]:
    """In the order of the models: against the predecessor, then against the first where that is another."""
    task = task_of(chain)
    pairs = [(before, ran) for ran in chain.models[1:] for before in _before(chain, ran)]
    return tuple(with_task_of(_edge(chain, *pair, floors), task, *pair) for pair in pairs)


def _before(chain: Chain, ran: Ran) -> tuple[Ran, ...]:
    first = chain.models[0]
    predecessor = chain.predecessor(ran) or first
    return (first,) if predecessor is first else (predecessor, first)


def floors_of(chain: Chain) -> tuple[tuple[OutputFloor, ...], tuple[Refusal, ...]]:
    """The noise floors of the first model's outputs, and why there is no float64 where there could have been.

    From float64 PyTorch where the first model is a checkpoint; as recorded, for a reference; else from the graph of an
    ONNX model, the first one's or that of the next that is one, or from that of the first TFLite model. Never below
    the spread over threads and batch sizes of the runtime that they are taken from.
    """
    first = chain.models[0]
    if first.member.header is not None and first.member.header.floors:
        return first.member.header.floors, ()
    if first.member.source is None:
        return _floors_from_graph(chain)
    floors, refusals = _floors_from_torch(chain, first.member.source)
    spread = chain.workers.of(Format.CHECKPOINT).run(
        measure_torch_spread,
        source=first.member.source,
        output_names=_output_names(first),
        batches=chain.samples.batches,
        outputs=first.outputs,
    )
    wider, notes = widened_by(floors, spread.value)
    return wider, (*refusals, *(Refusal("parity", first.member.entry.name, note) for note in notes))


def _floors_from_torch(chain: Chain, source: ModelSource) -> tuple[tuple[OutputFloor, ...], tuple[Refusal, ...]]:
    first = chain.models[0]
    wide = chain.folder / "float64"
    try:
        chain.workers.of(Format.CHECKPOINT).run(
            feed_checkpoint,
            source=source,
            output_names=_output_names(first),
            batches=chain.samples.floor,
            outputs=wide,
            precision="float64",
        )
    except WorkerDied:
        raise
    except ToolError as error:
        refusal = Refusal(
            stage="parity",
            subject="noise floor from float64 PyTorch",
            reason=error.what,
            remedy="float edges are judged by what a graph's roundings make instead",
        )
        floors, refusals = _floors_from_graph(chain)
        return floors, (refusal, *refusals)
    for batch in first.fed.refused:
        (wide / batch.file).unlink(missing_ok=True)
    return (measure_floors(first.outputs, wide), ()) if batch_paths(wide) else _floors_from_graph(chain)


def _output_names(ran: Ran) -> tuple[str, ...]:
    return tuple(spec.name for spec in ran.member.artifact.signature.outputs)


def _floors_from_graph(chain: Chain) -> tuple[tuple[OutputFloor, ...], tuple[Refusal, ...]]:
    """Of the first model whose graph says most and whose outputs go by the first model's names."""
    first = chain.models[0]
    named = [ran for ran in chain.models if ran.member.source is None and not ran.output_names]
    by_format = [[ran for ran in named if ran.member.entry.format is kind] for kind in (Format.ONNX, Format.TFLITE)]
    told = next((found[0] for found in by_format if found), None)
    if told is None:
        return rounding_floors(first.outputs), ()
    try:
        found = (
            chain.workers.of(told.member.entry.format)
            .run(
                floors_from_graph,
                artifact=told.member.artifact,
                batches=told.inputs,
                outputs=told.outputs,
                scratch=chain.folder / "float64_graph",
            )
            .value
        )
    except WorkerDied:
        raise
    except ToolError as error:
        refusal = Refusal("parity", f"noise floor from the graph of {told.member.entry.name}", error.what)
        return rounding_floors(first.outputs), (refusal,)
    notes = found.notes
    if found.no_float64 and told.member.entry.format is Format.ONNX:
        notes = (*notes, f"its noise floor is not that of float64: {found.no_float64}")
    return found.floors, tuple(Refusal("parity", told.member.entry.name, note) for note in notes)


def _edge(chain: Chain, expected: Ran, actual: Ran, floors: tuple[OutputFloor, ...]) -> EdgeReport:
    budget, grids = _budget(chain, expected, actual, floors), _grids(actual)
    edge = compare_edge(
        expected_name=expected.member.entry.name,
        actual_name=actual.member.entry.name,
        expected=expected.outputs,
        actual=actual.outputs,
        budget=budget,
        sample_count=chain.samples.sample_count,
        class_count=chain.class_count,
        grids=grids,
        inputs=chain.samples.batches if chain.settings.pictures else None,
    )
    edge = with_influences(
        edge,
        expected=expected.outputs,
        actual=actual.outputs,
        mixed=chain.samples.mixed,
        budget=budget,
        grids=grids,
    )
    return with_ops_judged(edge, chain, expected, actual)


def _grids(ran: Ran) -> tuple[OutputGrid, ...]:
    """Those of its quantized outputs, under the first model's names."""
    if ran.member.entry.format is not Format.TFLITE:
        return ()
    from verify.runners.output_grids import output_grids

    ours = {theirs: name for name, theirs in ran.output_names.items()}
    return tuple(replace(grid, name=ours.get(grid.name, grid.name)) for grid in output_grids(ran.member.artifact.path))


def _budget(chain: Chain, expected: Ran, actual: Ran, floors: tuple[OutputFloor, ...]) -> Budget:
    """The loosest that either file calls for; two float files are judged in noise floors."""
    if chain.settings.min_sqnr_db is not None:
        return QuantizedBudget(chain.settings.min_sqnr_db)
    from verify.runners.tflite_inspect import quantized_kind

    files = [ran.member.artifact for ran in (expected, actual) if ran.member.entry.format is Format.TFLITE]
    kinds = [kind for kind in (quantized_kind(file.path) for file in files) if kind is not None]
    if kinds:
        return min((quantized_budget(kind) for kind in kinds), key=lambda budget: budget.min_sqnr_db)
    return FloatBudget(floors)
