"""What the renderings of a verification share: the words of its verdict, each model's standing, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from verify.report import cards, words
from verify.report.findings import NonFinite
from verify.report.types import EdgeReport, OutputComparison, Verdict, worst_verdict
from verify.report.verification import NOT_FINITE_DB, Drift, Layer, Standing, Verification, VerifiedModel

DECISIONS = {
    Verdict.PASS: "They agree: ready to ship",
    Verdict.FAIL: "They do not agree: do not ship",
    Verdict.INCONCLUSIVE: "Cannot tell yet: do not ship on this",
}

_ORDER = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)


@dataclass(frozen=True)
class ModelCard:
    """One model. ``edge`` is the worst one that judges it; the first model is judged by none."""

    model: VerifiedModel
    edge: EdgeReport | None
    fidelity: str
    """Against the first model: ``113.2 dB``, ``identical``, the failure's name, or a dash."""
    to_first: Verdict | None = None
    """Of the edge from the first model."""

    @property
    def verdict(self) -> Verdict | None:
        """Of its worst edge."""
        return self.edge.verdict if self.edge else None

    @property
    def standing(self) -> str:
        """The verdict in words; of a model that agrees with the first, what alone it does not agree with."""
        if self.edge is None:
            return ""
        alone = self.edge.verdict is not Verdict.PASS and self.to_first is Verdict.PASS
        return f"{self.edge.verdict}, beside {self.edge.expected} only" if alone else str(self.edge.verdict)


@dataclass(frozen=True)
class Finding:
    """One output of one edge, or an edge that says more than its outputs do, or the run where it says more than both.

    ``output`` is ``None`` for the last two: a verdict that no output accounts for must not be lost on the way.
    """

    edge: EdgeReport | None
    output: OutputComparison | None
    verdict: Verdict
    failure: str
    explanation: str

    @property
    def where(self) -> str:
        """``net.onnx → net_int8.tflite``, or what stands for the whole run."""
        return edge_name(self.edge) if self.edge else "verification"

    @property
    def what(self) -> str:
        """The output's name, ``edge`` or ``verdict``."""
        if self.output is not None:
            return self.output.name
        return "edge" if self.edge else "verdict"


def edge_name(edge: EdgeReport) -> str:
    """``net.onnx → net_int8.tflite``."""
    return f"{edge.expected} → {edge.actual}"


def model_cards(verification: Verification) -> tuple[ModelCard, ...]:
    """One card a model, in the order in which they were given."""
    first = verification.models[0].name if verification.models else ""
    found = []
    for model in verification.models:
        judging = [edge for edge in verification.edges if edge.actual == model.name]
        to_first = next((edge for edge in judging if edge.expected == first), None)
        worst = min(judging, key=lambda edge: _ORDER.index(edge.verdict), default=None)
        found.append(ModelCard(model, worst, cards.fidelity(to_first), to_first.verdict if to_first else None))
    return tuple(found)


def findings(verification: Verification) -> tuple[Finding, ...]:
    """Every output of every edge in order, then what no output accounts for."""
    found: list[Finding] = []
    for edge in verification.edges:
        outputs = tuple(
            Finding(edge, output, output.verdict, output.failure or str(output.verdict), output.explanation)
            for output in edge.outputs
        )
        found += outputs
        if not outputs or worst_verdict(it.verdict for it in outputs) is not edge.verdict:
            found.append(_of_edge(edge))
    seen = [it.verdict for it in found]
    if not seen or _ORDER.index(worst_verdict(seen)) > _ORDER.index(verification.verdict):
        headline = verification.headline
        found.append(Finding(None, None, verification.verdict, _bare(verification.verdict), headline))
    return tuple(found)


def beyond_outputs(verification: Verification) -> tuple[Finding, ...]:
    """What did not pass though every output it is about did: an edge by its task, a run by itself."""
    return tuple(it for it in findings(verification) if it.output is None and it.verdict is not Verdict.PASS)


def _of_edge(edge: EdgeReport) -> Finding:
    if edge.task is not None and edge.task.verdict is edge.verdict:
        told = "undecided" if edge.verdict is Verdict.INCONCLUSIVE else "drops"
        return Finding(edge, None, edge.verdict, f"{edge.task.measure} {told}", edge.task.explanation)
    return Finding(edge, None, edge.verdict, _bare(edge.verdict), f"Judged against {edge.budget}.")


def also_measured(edge: EdgeReport) -> tuple[str, ...]:
    """Sentences on what was measured beside the error: steps, answers that changed, the task, values not finite.

    What an output's own explanation has said already is not said again.
    """
    said = [
        f"{output.name}: {output.quantized.explanation}"
        for output in edge.outputs
        if output.quantized and output.quantized.explanation not in output.explanation
    ]
    for output in edge.outputs:
        sides = ((edge.expected, output.expected_nonfinite), (edge.actual, output.actual_nonfinite))
        said += [_strange(output.name, side, ledger) for side, ledger in sides if ledger]
    said += [edge.top1.explanation] if edge.top1 and edge.top1.agreeing < edge.top1.samples else []
    said += [edge.task.explanation] if edge.task else []
    return (*said, *edge.notes)


def _strange(output: str, side: str, ledger: NonFinite) -> str:
    kinds = ((ledger.nan, "NaN"), (ledger.positive_infinity, "+Inf"), (ledger.negative_infinity, "-Inf"))
    counts = ", ".join(f"{count:,} {kind}" for count, kind in kinds if count)
    return f"{output}: {side} gives {counts}, first at {ledger.first}."


def drifts_to_tell(verification: Verification) -> tuple[Drift, ...]:
    """What a lock file had to say, but for what is as it was recorded."""
    drifts = verification.baseline.drifts if verification.baseline else ()
    return tuple(drift for drift in drifts if drift.standing is not Standing.SAME)


def layer_name(layer: Layer) -> str:
    """``CONV_2D #12 layer1.0.conv1 (Conv2d, model.py:40)``: all that is known of where it comes from."""
    told = ", ".join(each for each in (layer.module_type if layer.module else "", layer.source) if each)
    return f"{layer.op} #{layer.op_index} {layer.module or layer.onnx_node or layer.actual_tensor}" + (
        f" ({told})" if told else ""
    )


def layer_sqnr(sqnr_db: float | None) -> str:
    """``identical`` where there is no error, ``not finite`` where that is why there is none."""
    if sqnr_db is None:
        return "identical"
    return words.decibels(sqnr_db) if sqnr_db > NOT_FINITE_DB else "not finite"


def _bare(verdict: Verdict) -> str:
    return {Verdict.FAIL: "failed", Verdict.INCONCLUSIVE: "inconclusive", Verdict.PASS: "passed"}[verdict]
