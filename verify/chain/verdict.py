"""From edges to an answer: can the last model be shipped, and if not, why?"""

from __future__ import annotations

from collections.abc import Sequence

from verify.errors import ExitCode
from verify.report.types import EdgeReport, Verdict, worst_verdict
from verify.report.verification import InputCoverage, Localisation, VerifiedModel

_EXIT_CODES = {
    Verdict.PASS: ExitCode.PASS,
    Verdict.FAIL: ExitCode.PARITY_FAILED,
    Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
}


def worst(edges: Sequence[EdgeReport]) -> Verdict:
    """The verdict that decides; nothing compared is inconclusive, never a pass."""
    return worst_verdict(edge.verdict for edge in edges)


def exit_code(verdict: Verdict) -> ExitCode:
    """How a command ends that came to this verdict."""
    return _EXIT_CODES[verdict]


def headline(models: Sequence[VerifiedModel], edges: Sequence[EdgeReport]) -> str:
    """One sentence a person can decide from: do they agree, and if not, where do they part?"""
    first = models[0].name
    wrong = [edge for edge in edges if edge.verdict is not Verdict.PASS]
    if not edges:
        return f"Nothing was compared: {first} stands alone."
    if not wrong:
        if len(models) == 2:
            return f"{models[1].name} agrees with {first}."
        others = f"the other {len(models) - 1} with {first}, and each with the one before it"
        return f"All {len(models)} models agree: {others}."
    failed = [edge for edge in wrong if edge.verdict is Verdict.FAIL]
    worst_first = (failed or wrong)[0]
    verb = "does not agree with" if failed else "cannot be told to agree with"
    more = len({edge.actual for edge in failed or wrong}) - 1
    others = f" {more} more {'does' if more == 1 else 'do'} not." if more else ""
    return f"{worst_first.actual} {verb} {worst_first.expected}: {_reason(worst_first)}.{others}"


def next_steps(
    edges: Sequence[EdgeReport], inputs: Sequence[InputCoverage], *, random: bool, pictured: bool
) -> tuple[str, ...]:
    """What the user can do next, most useful first; ``pictured`` if the report shows how errors are spread."""
    failures = {output.failure for edge in edges for output in edge.outputs if output.verdict is not Verdict.PASS}
    steps = []
    if failures & {"missing output", "extra output"}:
        steps.append("Give the outputs the same names in all models; those of a checkpoint are set with --output-name.")
    if "wrong shape" in failures:
        steps.append(
            "Declare how the TensorFlow model stores its tensors (--layout), or keep signature.json beside it."
        )
    if "below budget" in failures:
        steps.append(
            "Calibrate on more samples, of the kind the model will see; or state another budget: --min-sqnr-db."
        )
    if "over tolerance" in failures and not pictured:
        steps.append("See how the error is spread, and the worst sample: write a report with --output FOLDER.")
    if random and "constant output" in failures:
        steps.append("Give real samples: random ones may drive a model into a corner (--data).")
    if any(gap.startswith("Only 0 and 1") for it in inputs for gap in it.gaps):
        steps.append("Say what integer inputs may hold: --input NAME=DIMS:DTYPE:LOW..HIGH.")
    return tuple(steps)


def look_at(localisations: Sequence[Localisation]) -> tuple[str, ...]:
    """What to do about each layer that is wrong by itself."""
    steps = []
    for each in localisations:
        if each.culprit is None:
            continue
        layer = each.culprit.layer
        place = ", ".join(filter(None, (layer.module, layer.source)))
        step = f"Look at {layer.op} {layer.op_index} of {each.actual}" + (f" ({place})" if place else "")
        shown = f"; python {each.culprit.reproducer}/reproduce.py runs it alone" if each.culprit.reproducer else ""
        steps.append(f"{step}: it is wrong by itself{shown}.")
    return tuple(dict.fromkeys(steps))


def _reason(edge: EdgeReport) -> str:
    output = next((it for it in edge.outputs if it.verdict is edge.verdict), None)
    if output is None:
        by_task = edge.task is not None and edge.task.verdict is edge.verdict
        return _first_sentence(edge.task.explanation) if edge.task and by_task else "nothing could be compared"
    return f"output {output.name}, {_first_sentence(output.explanation)}"


def _first_sentence(text: str) -> str:
    """To stand in another one; the rest is below the headline."""
    sentence = text.split(". ", maxsplit=1)[0].rstrip(".")
    return f"{sentence[:1].lower()}{sentence[1:]}"
