"""From edges to an answer: a verdict, an exit code, and what to do next."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from verify.errors import ExitCode
from verify.report.types import EdgeReport, Verdict, worst_verdict
from verify.report.verification import InputCoverage, Localisation

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
    if any(edge.task and edge.task.verdict is Verdict.INCONCLUSIVE for edge in edges):
        steps.append("Judge on more labelled samples (--data, --max-samples), or allow a larger drop (--max-drop).")
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
        script = f"{each.culprit.reproducer}/reproduce.py"
        shown = f"; {this_python()} {shlex.quote(script)} runs it alone" if each.culprit.reproducer else ""
        steps.append(f"{step}: it is wrong by itself{shown}.")
    return tuple(dict.fromkeys(steps))


def this_python() -> str:
    """What to type for the Python that this runs with: ``python``, unless that is another one."""
    found = shutil.which("python")
    same = found is not None and Path(found).resolve() == Path(sys.executable).resolve()
    in_environment = found is not None and Path(found).absolute().parent == Path(sys.executable).absolute().parent
    return "python" if same and in_environment else shlex.quote(sys.executable)
