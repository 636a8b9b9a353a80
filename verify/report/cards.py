"""What the renderings share: each file's numbers against PyTorch, and which output decides an edge."""

from __future__ import annotations

from dataclasses import dataclass

from verify.artifact import Format
from verify.report import words
from verify.report.types import ArtifactReport, EdgeReport, OutputComparison, Report, RungOutcome, Verdict
from verify.signature import Signature

SYMBOLS = {Verdict.PASS: "✓", Verdict.FAIL: "✕", Verdict.INCONCLUSIVE: "?"}
"""Never colour alone."""

DECISIONS = {Verdict.PASS: "Ready to ship", Verdict.FAIL: "Do not ship", Verdict.INCONCLUSIVE: "Cannot tell yet"}

WAYS = {
    RungOutcome.USED: "taken",
    RungOutcome.PARITY: "converted, but its float files do not agree",
    RungOutcome.FAILED: "did not convert",
}

TITLES = {
    "pytorch": "PyTorch",
    "onnx": "ONNX",
    "saved_model": "SavedModel",
    "float32": "TFLite float32",
    "float16": "TFLite float16",
    "dynamic_int8": "TFLite dynamic int8",
    "int8": "TFLite int8",
}

SHORT_TITLES = TITLES | {name: text.removeprefix("TFLite ") for name, text in TITLES.items()}
"""For places where the other end of the edge says enough."""

_SEVERITY = {Verdict.PASS: 0, Verdict.INCONCLUSIVE: 1, Verdict.FAIL: 2}


@dataclass(frozen=True)
class ShipCard:
    """One file, as a person decides on it. ``edge`` is the one against the reference, when there is one."""

    artifact: ArtifactReport
    title: str
    relative_size: float | None
    """Over the float32 TFLite file's size."""
    edge: EdgeReport | None
    fidelity: str
    """``113.2 dB``, ``identical``, the failure's name, or a dash."""


@dataclass(frozen=True)
class Trouble:
    """What is wrong with one output of one file, on however many edges it shows."""

    artifact_name: str
    output_name: str
    verdict: Verdict
    failure: str
    edges: tuple[EdgeReport, ...]
    explanations: tuple[str, ...]


@dataclass(frozen=True)
class SignatureGroup:
    """Files of one format that are fed alike."""

    cards: tuple[ShipCard, ...]
    signature: Signature
    is_tflite: bool


def title(artifact_name: str) -> str:
    """An artifact's name for a person."""
    return TITLES.get(artifact_name, artifact_name)


def short_title(artifact_name: str) -> str:
    """The same without ``TFLite``."""
    return SHORT_TITLES.get(artifact_name, artifact_name)


def reference(report: Report) -> str:
    """What everything is measured against: ``pytorch``, or the model that the run started from."""
    made = {edge.actual for edge in report.edges}
    roots = [edge.expected for edge in report.edges if edge.expected not in made]
    return "pytorch" if "pytorch" in roots or not roots else roots[0]


def edge_to(report: Report, artifact_name: str) -> EdgeReport | None:
    """The edge from the reference to an artifact."""
    root = reference(report)
    return next((edge for edge in report.edges if (edge.expected, edge.actual) == (root, artifact_name)), None)


def deciding_output(edge: EdgeReport) -> OutputComparison | None:
    """The worst output: by verdict, then without a measure before with one, then the lowest SQNR; identical is best."""
    return max(edge.outputs, key=_badness, default=None)


def fidelity(edge: EdgeReport | None) -> str:
    """An edge in one word."""
    output = deciding_output(edge) if edge else None
    return words.NOTHING if output is None else output_fidelity(output)


def output_fidelity(output: OutputComparison) -> str:
    """An output's SQNR, ``identical``, or the name of what is wrong."""
    if output.sqnr_db is not None:
        return words.decibels(output.sqnr_db)
    if output.identical:
        return "identical"
    return output.failure or "not measured"


def ship_cards(report: Report) -> tuple[ShipCard, ...]:
    """One card a file, in the order they were made."""
    whole = next((made.size_bytes for made in report.artifacts if made.name == "float32"), 0)
    cards = []
    for artifact in report.artifacts:
        edge = edge_to(report, artifact.name)
        relative = artifact.size_bytes / whole if whole else None
        cards.append(ShipCard(artifact, title(artifact.name), relative, edge, fidelity(edge)))
    return tuple(cards)


def troubles(report: Report) -> tuple[Trouble, ...]:
    """Every output that did not pass, failures before the undecided; one entry a file, output and kind of failure."""
    return edge_troubles(report.edges)


def edge_troubles(edges: tuple[EdgeReport, ...]) -> tuple[Trouble, ...]:
    """The same of any edges."""
    found: dict[tuple[str, str, Verdict, str], list[tuple[EdgeReport, str]]] = {}
    for edge in edges:
        for output in edge.outputs:
            if output.verdict != Verdict.PASS:
                failure = output.failure or str(output.verdict)
                key = (edge.actual, output.name, output.verdict, failure)
                found.setdefault(key, []).append((edge, _without_name(output.explanation, failure)))
    grouped = [
        Trouble(*key, tuple(edge for edge, _ in where), tuple(dict.fromkeys(why for _, why in where if why)))
        for key, where in found.items()
    ]
    return tuple(sorted(grouped, key=lambda trouble: -_SEVERITY[trouble.verdict]))


def _without_name(explanation: str, failure: str) -> str:
    """An explanation that begins with the failure's name, without it: the name is shown beside it."""
    if explanation.lower().startswith(f"{failure.lower()}: "):
        rest = explanation[len(failure) + 2 :]
        return rest[:1].upper() + rest[1:]
    return explanation


def signature_groups(cards: tuple[ShipCard, ...]) -> tuple[SignatureGroup, ...]:
    """Files by signature, in the order they were made."""
    found: dict[tuple[bool, Signature], list[ShipCard]] = {}
    for card in cards:
        key = (card.artifact.format == Format.TFLITE, card.artifact.signature)
        found.setdefault(key, []).append(card)
    return tuple(SignatureGroup(tuple(group), key[1], key[0]) for key, group in found.items())


def _badness(output: OutputComparison) -> tuple[int, bool, float]:
    unmeasured = output.sqnr_db is None and not output.identical
    return _SEVERITY[output.verdict], unmeasured, -(output.sqnr_db if output.sqnr_db is not None else float("inf"))
