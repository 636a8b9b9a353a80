"""Where two models of a chain part, layer by layer: of edges that fail, or of all on request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from verify.artifact import Format
from verify.chain.run import Chain, Ran
from verify.errors import ToolError
from verify.localise.compare import DEFAULT_SAMPLES, Names, compare_layers
from verify.report.types import EdgeReport, Refusal, Verdict
from verify.report.verification import Localisation

_BY_LAYERS = frozenset({Format.ONNX, Format.TFLITE})


def localisations_of(
    chain: Chain, edges: tuple[EdgeReport, ...], folder: Path | None, *, all_edges: bool
) -> tuple[tuple[Localisation, ...], tuple[Refusal, ...]]:
    """The layers of every edge that fails; ``all_edges`` of those that pass too. ``folder`` takes reproducers.

    An edge from or to a model that does not run op by op is passed over; that is a refusal where it was asked for.
    """
    found: list[Localisation] = []
    refusals: list[Refusal] = []
    by_name = {ran.member.entry.name: ran for ran in chain.models}
    for edge in edges:
        if edge.verdict is Verdict.PASS and not all_edges:
            continue
        expected, actual = by_name.get(edge.expected), by_name.get(edge.actual)
        if expected is None or actual is None:
            continue
        subject = f"{edge.expected} → {edge.actual}"
        if not {expected.member.artifact.format, actual.member.artifact.format} <= _BY_LAYERS:
            told = "layers are compared between ONNX and TFLite files only"
            refusals.append(Refusal("layers", subject, told, "name the ONNX or TFLite file of that model as well"))
            continue
        try:
            reproducer = None if folder is None else folder / f"reproducer_{len(found)}"
            found.append(
                replace(_localised(chain, expected, actual, reproducer), expected=edge.expected, actual=edge.actual)
            )
        except ToolError as error:
            refusals.append(Refusal("layers", subject, error.what))
    return tuple(found), tuple(refusals)


def _localised(chain: Chain, expected: Ran, actual: Ran, reproducer: Path | None) -> Localisation:
    """Inputs are those that the expected model was fed, under its own names."""
    first, second = expected.member, actual.member
    inputs = {
        first.input_names.get(spec.name, spec.name): second.input_names.get(spec.name, spec.name)
        for spec in chain.models[0].member.artifact.signature.inputs
    }
    outputs = {
        expected.output_names.get(spec.name, spec.name): actual.output_names.get(spec.name, spec.name)
        for spec in chain.models[0].member.artifact.signature.outputs
    }
    return (
        chain.workers.of(Format.TFLITE)
        .run(
            compare_layers,
            expected=first.artifact,
            actual=second.artifact,
            batches=expected.inputs,
            names=Names(inputs, outputs),
            reproducer=None if reproducer is None else reproducer.absolute(),
            samples=DEFAULT_SAMPLES,
        )
        .value
    )
