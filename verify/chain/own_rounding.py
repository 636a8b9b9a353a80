"""An int8 file op by op: within a wide budget an op may be wrong, and what its own rounding explains is far less."""

from __future__ import annotations

import math
from dataclasses import replace

from verify.artifact import Format
from verify.chain.layers import localised
from verify.chain.run import Chain, Ran
from verify.errors import ToolError, WorkerDied
from verify.localise.compare import RESCALED
from verify.report.types import EdgeReport, OutputComparison, Verdict, worst_verdict

OP_WRONG = "op wrong by itself"
BY_OPS = "and each op by what its own rounding explains"

_TRUSTED = frozenset({Format.ONNX, Format.TFLITE})


def with_ops_judged(edge: EdgeReport, chain: Chain, expected: Ran, actual: Ran) -> EdgeReport:
    """The edge of a float model and an int8 file, failed where one op of the file is off by more than its rounding.

    Any other edge, and one that fails already, as it is. What cannot be judged so is a note.
    """
    if edge.verdict is Verdict.FAIL or not _applies(expected, actual):
        return edge
    try:
        found = localised(chain, expected, actual, None)
    except WorkerDied:
        raise
    except ToolError as error:
        return replace(edge, notes=(*edge.notes, f"the ops of {edge.actual} were not judged one by one: {error.what}"))
    if RESCALED in found.unaligned:
        return replace(edge, notes=(*edge.notes, f"{edge.actual}: {RESCALED.reason}"))
    held = replace(edge, budget=f"{edge.budget}, {BY_OPS}")
    if not found.beyond_rounding or found.culprit is None:
        return held
    worst = min(edge.outputs, key=_quality)
    outputs = tuple(
        _failed(each, found.culprit.explanation, edge.budget) if each is worst else each for each in edge.outputs
    )
    return replace(held, outputs=outputs, verdict=worst_verdict(each.verdict for each in outputs))


def _applies(expected: Ran, actual: Ran) -> bool:
    from verify.runners.tflite_inspect import quantized_kind

    judged, trusted = actual.member.artifact, expected.member.artifact
    if judged.format is not Format.TFLITE or trusted.format not in _TRUSTED or actual.member.header is not None:
        return False
    if quantized_kind(judged.path) != "int8":
        return False
    return trusted.format is Format.ONNX or quantized_kind(trusted.path) is None


def _quality(output: OutputComparison) -> float:
    return math.inf if output.sqnr_db is None else output.sqnr_db


def _failed(output: OutputComparison, why: str, budget: str) -> OutputComparison:
    told = f"{OP_WRONG[0].upper()}{OP_WRONG[1:]}: it keeps the budget ({budget}), but {why} {output.explanation}"
    return replace(output, verdict=Verdict.FAIL, failure=OP_WRONG, explanation=told)
