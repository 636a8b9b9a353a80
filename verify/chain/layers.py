"""Where two models of a chain part, layer by layer: of edges that fail, or of all on request."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from verify.artifact import Format
from verify.chain.run import Chain, Ran
from verify.errors import ToolError
from verify.localise.compare import DEFAULT_SAMPLES, Names, compare_layers
from verify.localise.record_checkpoint import record_checkpoint
from verify.localise.record_file import record_file
from verify.report.types import EdgeReport, Refusal, Verdict
from verify.report.verification import Localisation

_OP_BY_OP = frozenset({Format.ONNX, Format.SAVED_MODEL, Format.TFLITE})


def localisations_of(
    chain: Chain, edges: tuple[EdgeReport, ...], folder: Path | None, *, all_edges: bool
) -> tuple[tuple[Localisation, ...], tuple[Refusal, ...]]:
    """The layers of every edge that fails; ``all_edges`` of those that pass too. ``folder`` takes reproducers.

    What fails only against a predecessor, and agrees with the first model, is passed over: the predecessor is at fault.

    A PyTorch model is the one that is trusted, on whichever side of an edge it is. An edge from or to a model without
    layers is passed over, with a refusal that says what to compare instead.
    """
    found: list[Localisation] = []
    refusals: list[Refusal] = []
    by_name = {ran.member.entry.name: ran for ran in chain.models}
    for edge in edges:
        if not all_edges and (edge.verdict is Verdict.PASS or _follows(edge, edges, chain.models[0].member.entry.name)):
            continue
        expected, actual = by_name.get(edge.expected), by_name.get(edge.actual)
        if expected is None or actual is None:
            continue
        if actual.member.artifact.format is Format.CHECKPOINT:
            expected, actual = actual, expected
        refused = _refused(expected, actual)
        if refused is not None:
            refusals.append(Refusal("layers", f"{edge.expected} → {edge.actual}", *refused))
            continue
        try:
            reproducer = None if folder is None else folder / f"reproducer_{len(found)}"
            where = localised(chain, expected, actual, reproducer)
            found.append(_told(where, expected, actual, reproducer))
        except ToolError as error:
            refusals.append(Refusal("layers", f"{edge.expected} → {edge.actual}", error.what, error.fix))
    return tuple(found), tuple(refusals)


def _refused(expected: Ran, actual: Ran) -> tuple[str, str] | None:
    """Why two models have no layers to compare, and what to do."""
    for ran, kinds in ((expected, _OP_BY_OP | {Format.CHECKPOINT}), (actual, _OP_BY_OP)):
        if ran.member.artifact.format not in kinds:
            told = f"{ran.member.entry.name} does not run op by op, as ONNX, SavedModel and TFLite models do"
            known = ran.member.artifact.format is Format.REFERENCE
            return told, "name the model that it was made from" if known else "name its ONNX or TFLite file as well"
    return None


def _told(where: Localisation, expected: Ran, actual: Ran, reproducer: Path | None) -> Localisation:
    """With the chain's names of the models, which are unique, and the reproducer's folder as the user wrote it."""
    culprit = where.culprit
    if culprit is not None and culprit.reproducer is not None:
        culprit = replace(culprit, reproducer=str(reproducer))
    return replace(where, expected=expected.member.entry.name, actual=actual.member.entry.name, culprit=culprit)


def _follows(edge: EdgeReport, edges: tuple[EdgeReport, ...], first: str) -> bool:
    """Whether a model agrees with the first one, so that its predecessor alone is to blame."""
    return any((each.expected, each.actual) == (first, edge.actual) and each.verdict is Verdict.PASS for each in edges)


def localised(chain: Chain, expected: Ran, actual: Ran, reproducer: Path | None) -> Localisation:
    """Two models of a chain layer by layer; raises a ``ToolError`` where that cannot be done.

    Inputs are those that the expected model was fed, under its own names.
    """
    first, second = expected.member, actual.member
    inputs = {
        first.input_names.get(spec.name, spec.name): second.input_names.get(spec.name, spec.name)
        for spec in chain.models[0].member.artifact.signature.inputs
    }
    outputs = {
        expected.output_names.get(spec.name, spec.name): actual.output_names.get(spec.name, spec.name)
        for spec in chain.models[0].member.artifact.signature.outputs
    }
    worker = chain.workers.of(second.artifact.format)
    recorded = None if worker is chain.workers.of(first.artifact.format) else _recorded(chain, expected)
    try:
        return worker.run(
            compare_layers,
            expected=first.artifact,
            actual=second.artifact,
            batches=expected.inputs,
            names=Names(inputs, outputs),
            reproducer=None if reproducer is None else reproducer.absolute(),
            samples=DEFAULT_SAMPLES,
            recorded=recorded,
        ).value
    finally:
        if recorded is not None:
            shutil.rmtree(recorded, ignore_errors=True)


def _recorded(chain: Chain, ran: Ran) -> Path:
    """The tensors of a model, written by its own process for that of the other."""
    member, folder = ran.member, chain.folder / "recorded"
    worker = chain.workers.of(member.artifact.format)
    if member.source is None:
        worker.run(record_file, artifact=member.artifact, batches=ran.inputs, folder=folder, samples=DEFAULT_SAMPLES)
    else:
        worker.run(
            record_checkpoint,
            source=member.source,
            artifact=member.artifact,
            batches=ran.inputs,
            folder=folder,
            samples=DEFAULT_SAMPLES,
        )
    return folder
