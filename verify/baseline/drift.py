"""One output's drift against the record of it: worse, better or the same, with a slack that is stated.

What rounding alone may change is one noise floor of RMS error on a float edge. On a quantized edge no floor is
measured: other kernels round other values to the neighbouring step. XNNPACK, LiteRT's builtin and its reference kernels
give SQNRs of the same int8 file that lie up to 0.9 dB apart (eight files, 64 samples; threads change nothing), so that
:data:`QUANTIZED_SLACK_DB` lets a lock travel between machines. The largest error is one value's, and less settled: it
may double.
"""

from __future__ import annotations

from verify.baseline.lock import LockedOutput
from verify.report import words
from verify.report.types import OutputComparison
from verify.report.verification import Drift, Standing

QUANTIZED_SLACK_DB = 1.0
_MAX_ERROR_FACTOR = 2.0


def drift_of(expected: str, actual: str, output: OutputComparison, record: LockedOutput | None) -> Drift:
    """Where an output stands that was measured; without a record it is new."""
    measured = output.rms_error
    if record is None:
        return Drift(expected, actual, output.name, Standing.NEW, None, measured, None, "Not recorded yet.")
    if measured is None:
        told = "There was nothing to measure."
        return Drift(expected, actual, output.name, Standing.SAME, record.rms_error, None, None, told)
    slack, reason = _slack(output, record)
    allowed = record.rms_error + slack
    standing, explanation = _judged(output, record, slack, reason)
    return Drift(expected, actual, output.name, standing, record.rms_error, measured, allowed, explanation)


def _judged(output: OutputComparison, record: LockedOutput, slack: float, reason: str) -> tuple[Standing, str]:
    measured, largest = output.rms_error or 0.0, output.max_abs_error or 0.0
    numbers = f"RMS error {words.error(measured)}, recorded {words.error(record.rms_error)}"
    # Not ">": a measure that is NaN is worse than any record.
    if not measured <= record.rms_error + slack:
        return Standing.WORSE, f"{numbers}: more than the slack of {words.error(slack)} ({reason}) above it."
    if record.max_abs_error is not None and not largest <= _MAX_ERROR_FACTOR * record.max_abs_error + slack:
        return Standing.WORSE, (
            f"largest error {words.error(largest)}, recorded {words.error(record.max_abs_error)}: more than "
            f"{_MAX_ERROR_FACTOR:g} times that."
        )
    if measured < record.rms_error - slack or (measured == 0 < record.rms_error):
        return Standing.BETTER, f"{numbers}."
    return Standing.SAME, f"{numbers}, within the slack of {words.error(slack)} ({reason})."


def _slack(output: OutputComparison, record: LockedOutput) -> tuple[float, str]:
    """Of the RMS error, in the output's units, and what it is."""
    multiple = output.noise_floor_multiple
    if multiple and output.rms_error:
        return output.rms_error / multiple, "one noise floor"
    return record.rms_error * (10 ** (QUANTIZED_SLACK_DB / 20) - 1), f"{QUANTIZED_SLACK_DB:g} dB"
