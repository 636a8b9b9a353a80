"""A verification judged against a lock: exceptions let failures pass, drift that grew fails, what vanished fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from verify.baseline.drift import drift_of
from verify.baseline.lock import Accepted, Lock
from verify.baseline.summing_up import OTHER_SAMPLES, VANISHED, WORSE, summed_up
from verify.report import words
from verify.report.types import EdgeKind, EdgeReport, OutputComparison, Verdict, nothing_compared, worst_verdict
from verify.report.verification import Baseline, Drift, Standing, Verification


def judged_against(verification: Verification, lock: Lock, file: str, *, recording: bool = False) -> Verification:
    """The verification with what the lock says of it, and with the verdict that this comes to.

    An exception holds to the end of its last day, by the verification's date (UTC). ``recording``: the lock is about to
    be written, so that only its exceptions count.
    """
    if recording:
        lock = replace(lock, outputs=(), samples=verification.samples)
    judge = _Judge(lock, file, date.fromisoformat(verification.created[:10]), verification.samples)
    edges: list[EdgeReport] = []
    drifts: list[Drift] = []
    for edge in verification.edges:
        judged, found = judge.edge(edge)
        edges.append(judged)
        drifts += found
    for edge, drift in judge.vanished(verification.edges):
        edges = _added(edges, edge)
        drifts.append(drift)
    if recording:
        drifts = [drift for drift in drifts if drift.standing is not Standing.NEW]
    baseline = Baseline(file, tuple(drifts), recording, judge.unneeded(verification.edges))
    return summed_up(verification, tuple(edges), baseline)


@dataclass(frozen=True)
class _Judge:
    lock: Lock
    file: str
    today: date
    samples: str

    def edge(self, edge: EdgeReport) -> tuple[EdgeReport, list[Drift]]:
        outputs: list[OutputComparison] = []
        drifts: list[Drift] = []
        for output in edge.outputs:
            judged, drift = self._output(edge, output)
            outputs.append(judged)
            drifts += [drift] if drift else []
        before = worst_verdict([output.verdict for output in edge.outputs])
        after = [output.verdict for output in outputs]
        verdict = worst_verdict(after if edge.verdict is before else [edge.verdict, *after])
        return replace(edge, outputs=tuple(outputs), verdict=verdict), drifts

    def _output(self, edge: EdgeReport, output: OutputComparison) -> tuple[OutputComparison, Drift | None]:
        record = self.lock.recorded(edge.expected, edge.actual, output.name)
        drift = drift_of(edge.expected, edge.actual, output, record)
        if output.verdict is not Verdict.PASS:
            exception = self._exception(edge, output)
            if exception is None:
                return output, drift if record else None
            refusal = self._refused(exception, output)
            if refusal:
                failed = replace(output, verdict=Verdict.FAIL, explanation=f"{refusal} {output.explanation}")
                return failed, replace(drift, standing=Standing.EXPIRED, explanation=refusal)
            terms = f"Accepted until {exception.expires} by {exception.owner}: {exception.reason.rstrip('.')}."
            output = replace(output, verdict=Verdict.PASS, failure=None, explanation=f"{output.explanation} {terms}")
            if drift.standing in {Standing.NEW, Standing.SAME}:
                drift = replace(drift, standing=Standing.ACCEPTED, explanation=terms)
        if record is not None and self.lock.samples != self.samples:
            why = f"{self.file} was recorded on {self.lock.samples}, and this run was judged on {self.samples}."
            open_ = replace(output, verdict=Verdict.INCONCLUSIVE, failure=OTHER_SAMPLES, explanation=why)
            return open_, replace(drift, standing=Standing.OTHER_SAMPLES, explanation=why)
        if drift.standing is Standing.WORSE:
            why = f"Worse than {self.file} records: {drift.explanation}"
            return replace(output, verdict=Verdict.FAIL, failure=WORSE, explanation=why), drift
        return output, drift

    def _exception(self, edge: EdgeReport, output: OutputComparison) -> Accepted | None:
        """One that is in force before one that has expired."""
        granted = self.lock.accepted
        found = [it for it in granted if it.covers(edge.expected, edge.actual, output.name, output.failure)]
        return max(found, key=lambda it: it.expires, default=None)

    def _refused(self, exception: Accepted, output: OutputComparison) -> str:
        """Why an exception does not hold; empty where it does."""
        if self.today > exception.expires:
            return (
                f"The exception that {exception.owner} was granted in {self.file} expired on {exception.expires} "
                f"({exception.reason}): mend the model, or renew it there."
            )
        least = exception.min_sqnr_db
        if least is not None and (output.sqnr_db is None or output.sqnr_db < least):
            return f"{self.file} accepts it down to {words.decibels(least)} only ({exception.owner})."
        return ""

    def vanished(self, edges: Sequence[EdgeReport]) -> list[tuple[EdgeReport, Drift]]:
        """What the lock records and nothing compared: a check that is gone must not look like one that passed."""
        present = {(edge.expected, edge.actual, output.name) for edge in edges for output in edge.outputs}
        found = []
        for it in self.lock.outputs:
            if (it.expected, it.actual, it.output) in present:
                continue
            why = f"{self.file} records this output, and this run did not compare it."
            output = nothing_compared(it.output, VANISHED, why)
            budget = f"the record in {self.file}"
            edge = EdgeReport(it.expected, it.actual, EdgeKind.FLOAT, Verdict.FAIL, budget, (), 0, (output,))
            drift = Drift(it.expected, it.actual, it.output, Standing.VANISHED, it.rms_error, None, None, why)
            found.append((edge, drift))
        return found

    def unneeded(self, edges: Sequence[EdgeReport]) -> tuple[str, ...]:
        """Exceptions that nothing calls for any more."""

        def needed(it: Accepted) -> bool:
            return any(
                it.covers(edge.expected, edge.actual, out.name, out.failure) for edge in edges for out in edge.outputs
            )

        return tuple(
            f"The exception of {it.owner} for {it.actual}, output {it.output}, {it.failure}, is no longer needed."
            for it in self.lock.accepted
            if not needed(it)
        )


def _added(edges: list[EdgeReport], new: EdgeReport) -> list[EdgeReport]:
    """To its edge where there is one, else as an edge of its own."""
    for index, edge in enumerate(edges):
        if (edge.expected, edge.actual) == (new.expected, new.actual):
            grown = replace(edge, outputs=(*edge.outputs, *new.outputs), verdict=Verdict.FAIL)
            return [*edges[:index], grown, *edges[index + 1 :]]
    return [*edges, new]
