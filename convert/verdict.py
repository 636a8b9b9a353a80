"""From edges to an answer: can this be shipped, and if not, why?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quantize.notes import CALIBRATED_ON_SYNTHETIC
from verify.report.types import EdgeReport, Verdict, worst_verdict


def artifact_verdict(name: str, edges: Sequence[EdgeReport]) -> Verdict:
    """The verdict of one artifact: the worst of the edges that lead to it."""
    return worst_verdict(edge.verdict for edge in edges if edge.actual == name)


def headline(files: Mapping[str, str], edges: Sequence[EdgeReport], origin: str, *, synthetic: bool = False) -> str:
    """One sentence a person can decide from. ``files`` are file names by artifact name, in order.

    ``synthetic`` says that the int8 file was calibrated on no real samples: it is then never ready.
    """
    said = _agreement(files, edges, origin, ready=not synthetic)
    return f"{said} {files['int8']} was {CALIBRATED_ON_SYNTHETIC}." if synthetic and "int8" in files else said


def _agreement(files: Mapping[str, str], edges: Sequence[EdgeReport], origin: str, *, ready: bool) -> str:
    verdicts = {name: artifact_verdict(name, edges) for name in files}
    failed = [_with_reason(name, files[name], edges) for name in files if verdicts[name] is Verdict.FAIL]
    undecided = [_with_reason(name, files[name], edges) for name in files if verdicts[name] is Verdict.INCONCLUSIVE]
    passed = sum(verdict is Verdict.PASS for verdict in verdicts.values())
    if not failed and not undecided:
        agreement = f"{_count(passed, 'file')} agree with {origin} at every batch size tried."
        return f"Ready to ship: {agreement}" if ready else agreement
    sentences = []
    if failed:
        sentences.append(f"Do not ship {_list(failed)}.")
    if undecided:
        sentences.append(f"Undecided: {_list(undecided)}.")
    if passed:
        sentences.append(f"The other {_count(passed, 'file')} agree with {origin}.")
    return " ".join(sentences)


def next_steps(
    files: Mapping[str, str], edges: Sequence[EdgeReport], *, calibrated: bool, ways: int, synthetic: bool = False
) -> list[str]:
    """What the user can do next, most useful first. ``ways`` is how many the options left open; all were tried."""
    steps = []
    if synthetic and "int8" in files:
        steps.append(
            "Calibrate the int8 file on real samples before it ships: --calib photos/; or have some judge it at least: "
            "--samples photos/."
        )
    failing = [name for name in files if artifact_verdict(name, edges) is Verdict.FAIL]
    if "int8" in failing and not synthetic:
        steps.append(
            "Calibrate on more samples, of the kind the model will see (--calib); or ship a file that passes; "
            "or accept the loss with --int8-min-sqnr-db."
        )
    if "onnx" in failing:
        steps.append("Check that the model has no random or stateful part.")
    if any(name in failing for name in ("onnx", "saved_model", "float32")):
        steps.append(
            "Report this model: a float file must not drift, and every way was tried."
            if ways > 1
            else "Leave out --exporter and --lowering, so that other ways are tried: a float file must not drift."
        )
    if not calibrated and "float32" in files:
        steps.append(
            "For a full int8 file, give samples to calibrate on: --calib photos/ (or data.npz, or module:callable)."
        )
    return steps


def _with_reason(name: str, file: str, edges: Sequence[EdgeReport]) -> str:
    """``net_int8.tflite (below budget: 9.1 dB SQNR)``."""
    verdict = artifact_verdict(name, edges)
    deciding = [edge for edge in edges if edge.actual == name and edge.verdict is verdict]
    outputs = [output for edge in deciding for output in edge.outputs if output.verdict is verdict]
    if not outputs:
        return f"{file} (nothing could be compared)"
    output = outputs[-1]
    measured = f": {output.sqnr_db:.1f} dB SQNR" if output.sqnr_db is not None else ""
    return f"{file} ({output.failure or verdict}{measured})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _list(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"
