"""The one sentence that a verification is summed up in: do the models agree, and if not, where and how badly."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from verify.report import words
from verify.report.types import EdgeReport, OutputComparison, TaskComparison, Verdict
from verify.report.verification import VerifiedModel

_ALIKE = 2.0
"""As bad: within this factor."""


def headline(models: Sequence[VerifiedModel], edges: Sequence[EdgeReport]) -> str:
    """One sentence a person can decide from. Of several edges that do not pass it tells the worst."""
    first = models[0].name
    if not edges:
        return f"Nothing was compared: {first} stands alone."
    wrong = [edge for edge in edges if edge.verdict is not Verdict.PASS]
    if not wrong:
        if len(models) == 2:
            return f"{models[1].name} agrees with {first}."
        return f"All {len(models)} models agree, each with {first} and with the one before it."
    failed = [edge for edge in wrong if edge.verdict is Verdict.FAIL]
    told, verb = (failed, "fail") if failed else (wrong, "are open")
    worst = _worst(told, first)
    count = f" {len(told)} of {len(edges)} comparisons {verb}." if len(told) > 1 else ""
    if failed:
        return f"{worst.actual} does not agree with {worst.expected}: {_reason(worst)}.{count}"
    return f"It is open whether {worst.actual} agrees with {worst.expected}: {_reason(worst)}.{count}"


def _worst(edges: Sequence[EdgeReport], first: str) -> EdgeReport:
    """The first of those farthest beyond their bound: what follows from a fault comes after it, and is as bad.

    An edge from the model to trust counts before others: a right model fails beside a wrong predecessor.
    """
    of_the_first = [edge for edge in edges if edge.expected == first] or list(edges)
    most = max(map(_excess, of_the_first))
    return next(edge for edge in of_the_first if _excess(edge) >= most / _ALIKE)


def _excess(edge: EdgeReport) -> float:
    return max((_output_excess(output) for output in _deciding(edge)), default=0.0)


def _output_excess(output: OutputComparison) -> float:
    """The error over what is allowed; infinite where it was not measured."""
    return output.rms_error / output.tolerance_rms if output.rms_error and output.tolerance_rms else math.inf


def _deciding(edge: EdgeReport) -> list[OutputComparison]:
    return [output for output in edge.outputs if output.verdict is edge.verdict]


def _reason(edge: EdgeReport) -> str:
    deciding = _deciding(edge)
    if not deciding:
        by_task = edge.task is not None and edge.task.verdict is edge.verdict
        return _task(edge.task) if edge.task and by_task else "nothing could be compared"
    worst = max(deciding, key=_output_excess)
    more = f", and {words.count(len(deciding) - 1, 'more output')}" if len(deciding) > 1 else ""
    return f"output {worst.name}, {_told(worst, edge)}{more}"


def _told(output: OutputComparison, edge: EdgeReport) -> str:
    """The number that a failure is about; of others, what their explanation begins with."""
    about_numbers = output.failure and output.explanation.lower().startswith(output.failure)
    if about_numbers and output.failure == "over tolerance" and output.noise_floor_multiple is not None:
        multiple = words.times(output.noise_floor_multiple)
        return f"{output.failure} ({words.decibels(output.sqnr_db)}, {multiple} the noise floor)"
    if about_numbers and output.failure == "below budget":
        return f"{output.failure} ({words.decibels(output.sqnr_db)}, {edge.budget} asked for)"
    beginning = re.split(r"; |\. |\.$", output.explanation, maxsplit=1)[0]
    return f"{beginning[:1].lower()}{beginning[1:]}" or str(output.failure or output.verdict)


def _task(task: TaskComparison) -> str:
    allowed = f"{100 * task.max_drop:g} points"
    if task.verdict is Verdict.INCONCLUSIVE:
        return f"{task.samples} samples are too few to tell whether {task.measure} drops by more than {allowed}"
    return f"{task.measure} drops by {words.three_digits(100 * task.drop)} points, {allowed} are allowed"
